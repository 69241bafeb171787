"""Trained generators in files: a light checkpoint in half precision, and published pickles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import URLError

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import stylegan2_ada as sg
from ferbench.classes import CLASSES
from ferbench.errors import UserError
from ferbench.files import sha256_of, write_whole

FORMAT = "1"  # of a light checkpoint; a file that does not say is of this first one
BEST, LATEST = "best.safetensors", "latest.safetensors"
_PACKAGED = Path(__file__).parents[1] / "pretrained"
SHIPPED = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[3] / "pretrained"
EXPECTED = (
    "expected a run of ferbench train-gan, a .safetensors file of one, a published .pkl, or the "
    "name of a shipped generator (fer48, fer48-long)"
)
N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class TrainedGenerator:
    """A generator ready to draw from, and where it comes from.

    network: in evaluation mode, float32. discriminator: its weights, None where the file has none.
    facts: what the file says of itself: kimg, data, res, classes (their names in the order of the
    labels; empty for an unconditional one), ... sha256: hex, of the file.
    """

    network: sg.TwoStageGenerator
    discriminator: sg.Discriminator | sg.PlainDiscriminator | None
    facts: dict[str, Any]
    sha256: str
    source: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels; () if the generator takes none."""
        return tuple(self.facts["classes"])


def condition_table(c_dim: int, classes: int) -> Tensor:
    """The condition of each label, [K, c_dim] float32; K = 1 for an unconditional generator.

    One-hot rows, or the bare numbers 0 to K - 1 where several classes share a single column
    (`gan.scalar_label`).
    """
    if c_dim == 0:
        return torch.zeros(1, 0)
    if c_dim == 1 and classes > 1:
        return torch.arange(classes, dtype=torch.float32)[:, None]
    return torch.eye(c_dim)


def save(
    path: Path,
    network: sg.TwoStageGenerator,
    discriminator: sg.Discriminator | sg.PlainDiscriminator | None,
    facts: Mapping[str, Any],
) -> None:
    """Write averaged generator and discriminator in float16, with what builds them again.

    discriminator: None keeps it out of the file, which can then be drawn from, but not be trained
    further. facts: plain values; `classes` must be among them. Raises
    FloatingPointError if a weight is not finite in float16.
    """
    assert "classes" in facts
    parts: dict[str, Any] = {"G_ema": network}
    parts |= {"D": discriminator} if discriminator is not None else {}
    tensors = {
        f"{part}.{name}": _half(name, value)
        for part, module in parts.items()
        for name, value in module.state_dict().items()
    }
    configs = {part: module.config.to_dict() for part, module in parts.items()}
    metadata = {
        "format": FORMAT,
        "configs": json.dumps(configs),
        "facts": json.dumps(dict(facts)),
        "sha256": _hash(tensors),
    }
    write_whole(path, lambda beside: save_file(tensors, beside, metadata))


def load(source: str | Path, *, device: torch.device) -> TrainedGenerator:
    """The generator of a run's folder (its best weights), a checkpoint or a published pickle.

    source: also an http(s) address of a pickle, or the name of a generator that ferbench ships.
    Nothing in a file is run. Raises UserError if there is no generator, or the file is damaged,
    hostile or of another class order.
    """
    text = str(source)
    if text.startswith(("http://", "https://")) or text.endswith(".pkl"):
        generator = _published(text)
    else:
        generator = _checkpoint(_file_of(Path(source)))
    classes = generator.classes
    if classes and sorted(classes) == sorted(CLASSES) and classes != CLASSES:
        raise UserError(f"{source}: its classes are {list(classes)}; expected {list(CLASSES)}")
    generator.network.to(device).eval().requires_grad_(False)
    return generator


def _file_of(source: Path) -> Path:
    """The checkpoint that a path means."""
    if source.is_dir():
        for name in (BEST, LATEST):
            if (source / name).is_file():
                return source / name
        raise UserError(f"{source}: holds no generator ({BEST} or {LATEST}); {EXPECTED}")
    if not source.exists() and (shipped := SHIPPED / f"{source}.safetensors").is_file():
        return shipped
    if not source.is_file():
        raise UserError(f"{source}: no such file or folder; {EXPECTED}")
    return source


def _checkpoint(path: Path) -> TrainedGenerator:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            halves = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a whole safetensors file ({error})") from None
    _check_format(path, metadata)
    if metadata.get("sha256", written := _hash(halves)) != written:
        raise UserError(f"{path}: damaged, its weights are not those that were written")
    tensors = {name: value.float() for name, value in halves.items()}
    try:
        configs, facts = json.loads(metadata["configs"]), json.loads(metadata["facts"])
        network = _built(sg.generator_of, configs["G_ema"], tensors, "G_ema")
        discriminator = None  # a file to share may be without
        if "D" in configs:
            discriminator = _built(sg.discriminator_of, configs["D"], tensors, "D")
        facts["classes"] = [str(name) for name in facts["classes"]]
    except (ValueError, LookupError, TypeError, RuntimeError, AttributeError) as error:
        reason = " ".join(f"{error}".split())[:200]
        raise UserError(f"{path}: the generator does not fit its description ({reason})") from None
    return TrainedGenerator(network, discriminator, facts, sha256_of(path), str(path))


def _check_format(path: Path, metadata: Mapping[str, str]) -> None:
    """UserError for weights of something else, or of a format that this version does not read."""
    if not {"configs", "facts"} <= metadata.keys():
        raise UserError(f"{path}: these are not the weights of a generator; {EXPECTED}")
    written = " ".join(metadata.get("format", FORMAT).split())[:60]
    if written != FORMAT:
        raise UserError(
            f"{path}: a generator of format {written!r}, which another version of ferbench wrote; "
            f"expected format {FORMAT}: use that version, or train with this one"
        )


def _built(
    build: Callable[[dict[str, Any]], N],
    config: dict[str, Any],
    tensors: Mapping[str, Tensor],
    part: str,
) -> N:
    """A network of its config with the tensors of its part of the file."""
    with torch.device("meta"):
        network = build(config)
    prefix = f"{part}."
    own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    network.load_state_dict(own, assign=True)
    return network


def _published(source: str) -> TrainedGenerator:
    try:
        networks = sg.load_official(source)
    except FileNotFoundError:
        raise UserError(f"{source}: no such file; {EXPECTED}") from None
    except (sg.UnsafePickleError, ValueError, OSError, URLError) as error:
        raise UserError(f"{source}: {error}") from None
    network = networks.get("G_ema", networks.get("G"))
    if network is None:
        raise UserError(f"{source}: holds no generator; {EXPECTED}")
    c_dim = network.config.c_dim
    ours = c_dim == len(CLASSES)
    classes = CLASSES if ours else tuple(f"class{i}" for i in range(c_dim))
    facts = {"classes": list(classes), "res": network.config.img_resolution, "data": "published"}
    local = Path(source)
    sha256 = sha256_of(local) if local.is_file() else hashlib.sha256(source.encode()).hexdigest()
    return TrainedGenerator(network, networks.get("D"), facts, sha256, source)


def _hash(tensors: Mapping[str, Tensor]) -> str:
    """Hex SHA-256 of tensors with their names, types and shapes, in whatever order they come."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _half(name: str, value: Tensor) -> Tensor:
    half = value.detach().cpu().half().contiguous()
    if not half.isfinite().all():
        raise FloatingPointError(f"the weights {name} are not finite in float16")
    return half
