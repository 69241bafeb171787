"""Every command's config as frozen dataclasses: types and checks here, values in conf/.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Optional

from ferbench.checks import at_least, between, one_of, positive
from ferbench.config import yaml_files
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
from ferbench.errors import UserError
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
    kind: Optional[str]
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


def read_config(schema: type, path: Path, section: str | None = None) -> Any:
    """The checked config of an earlier run, from its config.yaml; UserError if it does not fit.

    section: read this section alone, as `schema`; a change of the others does no harm then.
    A key that the run did not have yet gets the value that its option's file has now.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        found = _with_later_keys(OmegaConf.load(path), schema, section)
        chosen = found if section is None else OmegaConf.select(found, section, default={})
        return OmegaConf.to_object(OmegaConf.merge(writable(schema), chosen))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; expected the folder of an earlier run") from None
    except (OmegaConfBaseException, YAMLError) as error:
        raise UserError(f"{path}: not a config of this version ({_first_line(error)})") from None


def _with_later_keys(stored: Any, schema: type, section: str | None) -> Any:
    """Fill in what is missing in the sections that a stored config has, and beside them."""
    from omegaconf import DictConfig, OmegaConf

    if not isinstance(stored, DictConfig):
        return stored
    for key, text in _values_now(stored, schema, section).items():
        parent, _, leaf = key.rpartition(".")
        node = OmegaConf.select(stored, parent) if parent else stored
        if isinstance(node, DictConfig) and leaf not in node and text != "???":
            written: Any = OmegaConf.to_container(OmegaConf.create(f"value: {text}"))
            node[leaf] = written["value"]
    return stored


def _values_now(stored: Any, schema: type, section: str | None) -> dict[str, str]:
    """{key: text in YAML} of the command's own keys and of the options that the sections name."""
    from omegaconf import OmegaConf

    commands = [name for name, kind in COMMANDS.items() if kind is schema]
    groups = [group for name in commands for group in yaml_files.groups_of(name)]
    found = {
        k: text for name in commands for k, (text, _) in yaml_files.keys_of_command(name).items()
    }
    for group in groups if section is None else [section]:
        options = yaml_files.options_of(group)
        named = OmegaConf.select(stored, f"{group}.name")
        option = named if named in options else "default"
        if option in options:
            found |= {k: text for k, (text, _) in yaml_files.keys_of_option(group, option).items()}
    return found


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
