"""Every command's config as frozen dataclasses: types and checks here, values in conf/.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass, fields, is_dataclass
from typing import Optional

from ferbench.config.audit import Audit
from ferbench.config.bias import Bias
from ferbench.config.curate import Curate
from ferbench.config.fidelity import Fidelity
from ferbench.config.sections import (
    PRECISIONS,
    DataConfig,
    EvalConfig,
    LoggerConfig,
    ModelConfig,
    check_name,
    check_seed,
)
from ferbench.config.study import RunStudy
from ferbench.config.synth import Synth
from ferbench.config.train_gan import TrainGan
from ferbench.errors import at_least, between, one_of, positive
from ferbench.recipes.classifier import Recipe

LENGTHS = ("total_kimg",)  # keys that a run to go on with may be given anew
# Paths and free text: the command line takes them as they stand, commas and brackets included.
LITERAL = frozenset(
    {
        "outputs",
        "source",
        "run",
        "resume",
        "name",
        "where",
        "columns",
        "judge",
        "gan.diff_policy",
        "gan.path",
        "gate_judge",
        "counts",
        "interpolate",
        "set",
        "weights",
        "file",
        "seeds",
        "words",
        "only",
        "attributes",
        "privacy.control_percents",
        "data.folder",
        "data.synthetic",
        "data.teacher",
        "data.generator",
        "start",
        "logger.project",
        "logger.address",
    }
)
# Keys that may be written without their section.
SHORT_KEYS = {
    key: f"data.{key}"
    for key in ("mix", "real_fraction", "synthetic_per_real", "real_limit", "synthetic_limit")
} | {key: f"label_noise.{key}" for key in ("folds", "control_flips")}
# Words that may stand for a key and its value.
WORDS = {("audit", "data"): "set=data"}


@dataclass(frozen=True)
class Prepare:
    """ferbench prepare."""

    outputs: str
    source: str
    allow_other_counts: bool
    force: bool
    near_correlation: float
    data: DataConfig

    def __post_init__(self) -> None:
        between("near_correlation", self.near_correlation, 0.9, 1)


@dataclass(frozen=True)
class Classify:
    """ferbench classify."""

    outputs: str
    name: Optional[str]
    seed: int
    device: str
    precision: str
    force: bool
    resume: Optional[str]
    start: Optional[str]
    data: DataConfig
    model: ModelConfig
    train: Recipe
    eval: EvalConfig
    logger: LoggerConfig

    def __post_init__(self) -> None:
        check_seed(self.seed)
        one_of("precision", self.precision, PRECISIONS)
        check_name(self.name)


@dataclass(frozen=True)
class Evaluate:
    """ferbench evaluate."""

    outputs: str
    run: str
    device: str
    precision: str
    force: bool
    data: DataConfig
    eval: EvalConfig

    def __post_init__(self) -> None:
        one_of("precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class Table:
    """ferbench table."""

    outputs: str
    kind: str
    where: Optional[str]
    sort: Optional[str]
    columns: Optional[str]
    format: str
    group: bool
    rebuild: bool
    failed: bool

    def __post_init__(self) -> None:
        one_of("format", self.format, ("terminal", "markdown", "csv", "latex"))


@dataclass(frozen=True)
class Demo:
    """ferbench demo."""

    outputs: str
    seed: int
    device: str
    train_faces: int
    test_faces: int
    gan_kimg: float

    def __post_init__(self) -> None:
        check_seed(self.seed)
        positive("gan_kimg", self.gan_kimg)
        at_least("train_faces", self.train_faces, 7)
        at_least("test_faces", self.test_faces, 7)


COMMANDS: dict[str, type] = {
    "prepare": Prepare,
    "train-gan": TrainGan,
    "synth": Synth,
    "curate": Curate,
    "classify": Classify,
    "evaluate": Evaluate,
    "fidelity": Fidelity,
    "audit": Audit,
    "bias": Bias,
    "study": RunStudy,
    "table": Table,
    "demo": Demo,
}


def keys_of(schema: type, prefix: str = "") -> dict[str, type]:
    """Every key of a command by its dotted name, sections included, with its type."""
    found: dict[str, type] = {}
    for field in fields(schema):
        found[prefix + field.name] = field.type  # type: ignore[assignment]
        if is_dataclass(field.type):
            found |= keys_of(field.type, f"{prefix}{field.name}.")  # type: ignore[arg-type]
    return found
