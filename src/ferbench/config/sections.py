"""Config sections that several commands share; their values stand in conf/<section>/.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.errors import at_least, at_most, between, file_name, one_of
from ferbench.recipes.marks import AsTyped, Neutral, Result

TTA = ("none", "flip", "ten_crop")
LOGGERS = ("tensorboard", "wandb", "mlflow", "none")
MAX_SEED = 2**32 - 1  # the largest that numpy takes
MOST_IMAGES = 100_000_000
MANY_IMAGES = f"{MOST_IMAGES:,} images of 48 pixels take 230 GB"
MOST_IN_MEMORY = 1_000_000
IN_MEMORY = f"{MOST_IN_MEMORY:,} images of 48 pixels take 2.3 GB, their features as much"
MOST_CELLS, MANY_CELLS = 100_000, "clustering grows with it, and cells need images"
MOST_PX, LARGE_IMAGES = 4096, "one image takes 67 MB as numbers"
MOST_BATCH, LARGE_BATCH = 65_536, "the images of a step are in memory together"
MOST_STEPS, LONG = 1_000_000_000, "that is never reached"
FIGURES = ("png", "pdf")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


def check_seed(seed: int, key: str = "seed") -> None:
    """Refuse a seed that numpy does not take."""
    at_least(key, seed, 0)
    between(key, seed, 0, MAX_SEED)


def check_name(name: str | None) -> None:
    """Refuse a name that is no file name."""
    if name is not None:
        file_name("name", name)


def check_batch(batch: int, key: str = "batch") -> None:
    """Refuse a number of images at a time that no machine has memory for."""
    at_least(key, batch, 1)
    at_most(key, batch, MOST_BATCH, LARGE_BATCH)


def check_figures(figures: str) -> None:
    """Refuse a kind of figures that is not drawn."""
    one_of("figures", figures, FIGURES)


@dataclass(frozen=True)
class ModelConfig:
    """Which network: values in conf/model/; what fits which network is checked as it is built."""

    name: Result[str]
    stem: Result[str]
    input_px: Result[int]
    pretrained: Result[str]
    tune: Result[str]
    dropout: Result[float]
    width: Result[int | None]

    def __post_init__(self) -> None:
        file_name("model.name", self.name)
        at_least("model.input_px", self.input_px, 1)
        at_most("model.input_px", self.input_px, 1024, "memory and time grow with its square")
        between("model.dropout", self.dropout, 0, 0.99)
        if self.width is not None:
            at_least("model.width", self.width, 1)
        at_most("model.width", self.width, 1024, "the weights grow with its square")


@dataclass(frozen=True)
class EvalConfig:
    """How a classifier is scored: values in conf/eval/."""

    split: Result[str]
    batch: Result[int]
    tta: Result[str]

    def __post_init__(self) -> None:
        one_of("eval.split", self.split, ("private", "public", "kaggle"))
        one_of("eval.tta", self.tta, TTA)
        check_batch(self.batch, "eval.batch")


@dataclass(frozen=True)
class LoggerConfig:
    """Where the numbers of every epoch go besides metrics.jsonl: values in conf/logger/."""

    name: Neutral[str]
    project: Neutral[AsTyped[str | None]]
    address: Neutral[AsTyped[str | None]]

    def __post_init__(self) -> None:
        one_of("logger.name", self.name, LOGGERS)
