"""Every command's config as frozen dataclasses: types and checks here, values in conf/.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass, is_dataclass
from typing import Any, get_args, get_type_hints

from ferbench.config.audit import Audit
from ferbench.config.audit_data import AuditData
from ferbench.config.bias import Bias
from ferbench.config.curate import Curate
from ferbench.config.data import DataConfig, FacesConfig
from ferbench.config.fidelity import Fidelity
from ferbench.config.scored_faces import ScoredFacesConfig
from ferbench.config.sections import (
    IN_MEMORY,
    MOST_IN_MEMORY,
    PRECISIONS,
    EvalConfig,
    LoggerConfig,
    ModelConfig,
    check_figures,
    check_name,
    check_seed,
)
from ferbench.config.study import RunStudy
from ferbench.config.synth import Synth
from ferbench.config.train_gan import TrainGan
from ferbench.errors import UserError, at_least, at_most, between, one_of, positive
from ferbench.recipes.classifier import Recipe
from ferbench.recipes.gan import LONG_TRAINING, MOST_KIMG
from ferbench.recipes.marks import AS_TYPED, AsTyped, Content, Neutral, Result

LENGTHS = ("total_kimg",)  # keys that a run to go on with may be given anew
# What may be typed for a key, in files of --config-dir too, where the command has that key.
_DATA_KEYS = {
    "toy_train": "toy.train",
    "toy_public": "toy.public",
    "toy_private": "toy.private",
    "toy_seed": "toy.seed",
    "synthetic": "synthetic.folder",
    "synthetic_limit": "synthetic.limit",
    "synthetic_balance": "synthetic.balance",
    "synthetic_online": "synthetic.online",
    "normalize": "synthetic.normalize",
    "generator": "synthetic.generator",
    "mix": "mix.how",
    "real_fraction": "mix.real_fraction",
    "synthetic_per_real": "mix.synthetic_per_real",
    "real_weight": "mix.real_weight",
    "teacher": "teacher.run",
    "teacher_weight": "teacher.weight",
    "teacher_temperature": "teacher.temperature",
    "teacher_labels": "teacher.labels",
}
SHORT_KEYS = {
    "gan": "gan.path",
    "mix": "data.mix.how",
    "real_fraction": "data.mix.real_fraction",
    "synthetic_per_real": "data.mix.synthetic_per_real",
    "synthetic_limit": "data.synthetic.limit",
    "real_limit": "data.real_limit",
    "folds": "label_noise.folds",
    "control_flips": "label_noise.control_flips",
    **{f"data.{short}": f"data.{key}" for short, key in _DATA_KEYS.items()},
}


@dataclass(frozen=True)
class Prepare:
    """ferbench prepare."""

    outputs: AsTyped[str]
    source: AsTyped[str]
    allow_other_counts: bool
    split_held_out: bool
    force: bool
    near_correlation: float
    data: FacesConfig

    def __post_init__(self) -> None:
        between("near_correlation", self.near_correlation, 0.9, 1)


@dataclass(frozen=True)
class Classify:
    """ferbench classify."""

    outputs: Neutral[AsTyped[str]]
    name: Neutral[AsTyped[str | None]]
    seed: Result[int]
    device: Content[str]
    precision: Content[str]
    force: Neutral[bool]
    figures: Neutral[str]
    resume: Neutral[AsTyped[str | None]]
    start: Content[AsTyped[str | None]]
    plan: Neutral[bool]
    data: Result[DataConfig]
    model: Result[ModelConfig]
    train: Result[Recipe]
    eval: Result[EvalConfig]
    logger: Neutral[LoggerConfig]

    def __post_init__(self) -> None:
        check_seed(self.seed)
        one_of("precision", self.precision, PRECISIONS)
        check_name(self.name)
        check_figures(self.figures)


@dataclass(frozen=True)
class Evaluate:
    """ferbench evaluate."""

    outputs: Neutral[AsTyped[str]]
    run: Content[AsTyped[str]]
    device: Neutral[str]
    precision: Content[str]
    force: Neutral[bool]
    figures: Neutral[str]
    data: Content[ScoredFacesConfig]
    eval: Result[EvalConfig]

    def __post_init__(self) -> None:
        one_of("precision", self.precision, PRECISIONS)
        check_figures(self.figures)


@dataclass(frozen=True)
class Table:
    """ferbench table."""

    outputs: AsTyped[str]
    kind: str
    where: AsTyped[str | None]
    sort: str | None
    columns: AsTyped[str | None]
    format: str
    group: bool
    rebuild: bool
    failed: bool

    def __post_init__(self) -> None:
        one_of("format", self.format, ("terminal", "markdown", "csv", "latex"))


@dataclass(frozen=True)
class Demo:
    """ferbench demo."""

    outputs: AsTyped[str]
    seed: int
    device: str
    train_faces: int
    test_faces: int
    gan_kimg: float
    plan: bool

    def __post_init__(self) -> None:
        check_seed(self.seed)
        positive("gan_kimg", self.gan_kimg)
        at_most("gan_kimg", self.gan_kimg, MOST_KIMG, LONG_TRAINING)
        for key in ("train_faces", "test_faces"):
            at_least(key, getattr(self, key), 7)
            at_most(key, getattr(self, key), MOST_IN_MEMORY, IN_MEMORY)


COMMANDS: dict[str, type] = {
    "prepare": Prepare,
    "train-gan": TrainGan,
    "synth": Synth,
    "curate": Curate,
    "classify": Classify,
    "evaluate": Evaluate,
    "fidelity": Fidelity,
    "audit": Audit,
    "audit-data": AuditData,
    "bias": Bias,
    "study": RunStudy,
    "table": Table,
    "demo": Demo,
}


def keys_of(schema: type, prefix: str = "") -> dict[str, type]:
    """Every key of a command by its dotted name, sections included, with its type."""
    found: dict[str, type] = {}
    for name, kind in get_type_hints(schema).items():
        found[prefix + name] = kind
        if is_dataclass(kind):
            found |= keys_of(kind, f"{prefix}{name}.")  # type: ignore[arg-type]
    return found


def texts_of(schema: type, prefix: str = "") -> set[str]:
    """The keys of a command, by their dotted names, whose fields are marked `AsTyped`."""
    found: set[str] = set()
    for name, hint in get_type_hints(schema, include_extras=True).items():
        kind, *marks = get_args(hint) or (hint,)
        if AS_TYPED in marks:
            found.add(prefix + name)
        elif is_dataclass(kind):
            found |= texts_of(kind, f"{prefix}{name}.")  # type: ignore[arg-type]
    return found


def with_full_keys(content: dict[str, Any], package: str) -> dict[str, Any]:
    """A config file's content with the keys of `SHORT_KEYS` written out.

    package: the section that the file is about, as "data"; "" for all. A section is never one of
    these keys: `mix: add` below data is data.mix.how, and `mix: {how: add}` stays as it is.
    Raises UserError for a key that is there by both its names.
    """
    prefix = f"{package}." if package else ""
    found: dict[str, Any] = {}
    for key, value in content.items():
        full = SHORT_KEYS.get(f"{prefix}{key}", "").removeprefix(prefix)
        if isinstance(value, dict):
            part = {key: with_full_keys(value, f"{prefix}{key}")}
        else:
            *sections, last = full.split(".") if full else [key]
            part = {last: value}
            for section in reversed(sections):
                part = {section: part}
        _merge(found, part, prefix)
    return found


def _merge(into: dict[str, Any], part: dict[str, Any], prefix: str) -> None:
    """Add keys of a section; UserError for one that is there already, by another name."""
    for key, value in part.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value, f"{prefix}{key}.")
        elif key in into:
            raise UserError(
                f"{prefix}{key}={value}: is given as {prefix}{key}={into[key]} too, by another "
                "name; expected one of them"
            )
        else:
            into[key] = value
