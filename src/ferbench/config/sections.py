"""Config sections that several commands share; their values stand in conf/<section>/.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.errors import UserError, at_least, between, one_of
from ferbench.recipes.marks import AsTyped, Neutral, Result

TTA = ("none", "flip", "ten_crop")
LOGGERS = ("tensorboard", "wandb", "mlflow", "none")
MAX_SEED = 2**32 - 1  # the largest that numpy takes
FIGURES = ("png", "pdf")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


def check_seed(seed: int, key: str = "seed") -> None:
    """Refuse a seed that numpy does not take."""
    at_least(key, seed, 0)
    between(key, seed, 0, MAX_SEED)


def check_name(name: str | None) -> None:
    """Refuse a name that is no file name."""
    if name is not None and not _is_file_name(name):
        raise UserError(f"name={name}: expected letters, digits, '.', '_' and '-'")


def check_figures(figures: str) -> None:
    """Refuse a kind of figures that is not drawn."""
    one_of("figures", figures, FIGURES)


@dataclass(frozen=True)
class ModelConfig:
    """Which network: values in conf/model/, checked where the network is built."""

    name: Result[str]
    stem: Result[str]
    input_px: Result[int]
    pretrained: Result[str]
    tune: Result[str]
    dropout: Result[float]
    width: Result[int | None]


@dataclass(frozen=True)
class EvalConfig:
    """How a classifier is scored: values in conf/eval/."""

    split: Result[str]
    batch: Result[int]
    tta: Result[str]

    def __post_init__(self) -> None:
        one_of("eval.split", self.split, ("private", "public", "kaggle"))
        one_of("eval.tta", self.tta, TTA)
        at_least("eval.batch", self.batch, 1)


@dataclass(frozen=True)
class LoggerConfig:
    """Where the numbers of every epoch go besides metrics.jsonl: values in conf/logger/."""

    name: Neutral[str]
    project: Neutral[AsTyped[str | None]]
    address: Neutral[AsTyped[str | None]]

    def __post_init__(self) -> None:
        one_of("logger.name", self.name, LOGGERS)


def _is_file_name(name: str) -> bool:
    return bool(name) and all(c.isalnum() or c in "._-" for c in name) and name[0] not in ".-"
