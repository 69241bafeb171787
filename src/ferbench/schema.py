"""Every command's config as frozen dataclasses: types and checks here, values in conf/.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Optional

from ferbench.checks import at_least, between, one_of
from ferbench.errors import UserError
from ferbench.recipe import Recipe

TTA = ("none", "flip", "ten_crop")
LOGGERS = ("tensorboard", "wandb", "mlflow", "none")
MAX_SEED = 2**32 - 1  # the largest that numpy takes
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
# Paths and free text: the command line takes them as they stand, commas and brackets included.
LITERAL = frozenset({
    "outputs", "source", "run", "resume", "name", "where", "columns",
    "data.folder", "logger.project", "logger.address",
})  # fmt: skip


@dataclass(frozen=True)
class DataConfig:
    """Which faces: values in conf/data/. The toy_ keys say how toy faces are rendered."""

    name: str
    folder: str
    toy_train: Optional[int]
    toy_public: Optional[int]
    toy_private: Optional[int]
    toy_seed: Optional[int]

    def __post_init__(self) -> None:
        one_of("data.name", self.name, ("real", "toy"))
        for key in ("toy_train", "toy_public", "toy_private"):
            count = getattr(self, key)
            if self.name == "toy" and count is not None:
                at_least(f"data.{key}", count, 7)
        if self.toy_seed is not None:
            at_least("data.toy_seed", self.toy_seed, 0)


@dataclass(frozen=True)
class ModelConfig:
    """Which network: values in conf/model/, checked where the network is built."""

    name: str
    stem: str
    input_px: int
    pretrained: str
    tune: str
    dropout: float
    width: Optional[int]


@dataclass(frozen=True)
class EvalConfig:
    """How a classifier is scored: values in conf/eval/."""

    split: str
    batch: int
    tta: str

    def __post_init__(self) -> None:
        one_of("eval.split", self.split, ("private", "public", "kaggle"))
        one_of("eval.tta", self.tta, TTA)
        at_least("eval.batch", self.batch, 1)


@dataclass(frozen=True)
class LoggerConfig:
    """Where the numbers of every epoch go besides metrics.jsonl: values in conf/logger/."""

    name: str
    project: Optional[str]
    address: Optional[str]

    def __post_init__(self) -> None:
        one_of("logger.name", self.name, LOGGERS)


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
    data: DataConfig
    model: ModelConfig
    train: Recipe
    eval: EvalConfig
    logger: LoggerConfig

    def __post_init__(self) -> None:
        at_least("seed", self.seed, 0)
        between("seed", self.seed, 0, MAX_SEED)
        one_of("precision", self.precision, PRECISIONS)
        if self.name is not None and not _is_file_name(self.name):
            raise UserError(f"name={self.name}: expected letters, digits, '.', '_' and '-'")


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
    where: Optional[str]
    sort: str
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

    def __post_init__(self) -> None:
        at_least("seed", self.seed, 0)
        between("seed", self.seed, 0, MAX_SEED)
        at_least("train_faces", self.train_faces, 7)
        at_least("test_faces", self.test_faces, 7)


COMMANDS: dict[str, type] = {
    "prepare": Prepare,
    "classify": Classify,
    "evaluate": Evaluate,
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


def register() -> None:
    """Give Hydra's config store one schema a command, `<command>_schema`."""
    from hydra.core.config_store import ConfigStore

    for command, schema in COMMANDS.items():
        name = command.replace("-", "_")
        ConfigStore.instance().store(name=f"{name}_schema", node=writable(schema))


def writable(schema: type) -> Any:
    """Typed node that YAML may fill: OmegaConf makes the nodes of frozen dataclasses read-only."""
    from omegaconf import OmegaConf

    node = OmegaConf.structured(schema)
    OmegaConf.set_readonly(node, False)
    for field in fields(schema):
        if is_dataclass(field.type):
            node[field.name] = writable(field.type)  # type: ignore[arg-type]
    return node


def read_config(schema: type, path: Path) -> Any:
    """The checked config of an earlier run, from its config.yaml; UserError if it does not fit."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        merged = OmegaConf.merge(writable(schema), OmegaConf.load(path))
        return OmegaConf.to_object(merged)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; expected the folder of an earlier run") from None
    except (OmegaConfBaseException, YAMLError) as error:
        raise UserError(f"{path}: not a config of this version ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _is_file_name(name: str) -> bool:
    return bool(name) and all(c.isalnum() or c in "._-" for c in name) and name[0] not in ".-"
