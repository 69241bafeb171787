"""Networks from the plain values that describe them."""

from typing import Any

from .baselines import PlainDiscriminator, PlainGenerator
from .config import (
    KINDS,
    DiscriminatorConfig,
    GeneratorConfig,
    PlainDiscriminatorConfig,
    PlainGeneratorConfig,
)
from .discriminator import Discriminator
from .generator import Generator


def generator_of(config: dict[str, Any]) -> Generator | PlainGenerator:
    """A new generator of `config.to_dict()`, of the class that its "kind" names.

    kind: stylegan2 (also where there is none), cgan or acgan. Raises ValueError for another kind
    and for fields that are unknown, missing or wrong.
    """
    if _is_plain(config):
        return PlainGenerator(PlainGeneratorConfig.from_dict(config))
    return Generator(GeneratorConfig.from_dict(_without_kind(config)))


def discriminator_of(config: dict[str, Any]) -> Discriminator | PlainDiscriminator:
    """A new discriminator; as `generator_of`."""
    if _is_plain(config):
        return PlainDiscriminator(PlainDiscriminatorConfig.from_dict(config))
    return Discriminator(DiscriminatorConfig.from_dict(_without_kind(config)))


def _is_plain(config: dict[str, Any]) -> bool:
    kind = config.get("kind", "stylegan2")
    if kind not in ("stylegan2", *KINDS):
        raise ValueError(f"kind={kind}: must be one of stylegan2, {', '.join(KINDS)}")
    return kind in KINDS


def _without_kind(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "kind"}
