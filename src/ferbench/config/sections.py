"""Config sections that several commands share; their values stand in conf/<section>/.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.errors import UserError, at_least, between, one_of
from ferbench.recipes.marks import Content, Neutral, Result

TTA = ("none", "flip", "ten_crop")
LOGGERS = ("tensorboard", "wandb", "mlflow", "none")
MAX_SEED = 2**32 - 1  # the largest that numpy takes
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
BASES = ("real", "toy")
DATA = (*BASES, "synthetic", "mixed")
CHOICES = {
    "synthetic_balance": ("equal", "natural"),
    "mix": ("replace", "add", "augment"),
    "normalize": ("shared", "source"),
    "teacher_labels": ("synthetic", "all"),
}
RANGES = {
    "real_fraction": (0, 1),
    "synthetic_per_real": (0.01, 1000),
    "synthetic_limit": (7, 1e9),
    "teacher_weight": (0, 1),
    "teacher_temperature": (0.05, 100),
}
AMOUNTS = {"real_fraction": ("replace",), "synthetic_per_real": ("add", "augment")}  # of a mix
MEANT_FOR = {
    "real_limit": ("real", "toy", "mixed"),
    "synthetic": ("synthetic", "mixed"),
    "synthetic_limit": ("synthetic",),
    "synthetic_balance": ("synthetic", "mixed"),
    "mix": ("mixed",),
    "real_fraction": ("mixed",),
    "synthetic_per_real": ("mixed",),
    "real_weight": ("mixed",),
    "normalize": ("synthetic", "mixed"),
    "teacher": DATA,
    "teacher_weight": DATA,
    "teacher_temperature": DATA,
    "teacher_labels": ("mixed",),
    "synthetic_online": ("synthetic", "mixed"),
    "generator": ("synthetic", "mixed"),
}
NEEDED = ("teacher_weight", "teacher_temperature", "synthetic_online")  # where they have a meaning


def check_seed(seed: int, key: str = "seed") -> None:
    """Refuse a seed that numpy does not take."""
    at_least(key, seed, 0)
    between(key, seed, 0, MAX_SEED)


def check_name(name: str | None) -> None:
    """Refuse a name that is no file name."""
    if name is not None and not _is_file_name(name):
        raise UserError(f"name={name}: expected letters, digits, '.', '_' and '-'")


@dataclass(frozen=True)
class DataConfig:
    """What is learned from, and whose held-out faces score it: values in conf/data/.

    The toy_ keys say how toy faces are rendered; a key that has no meaning with `name` is null.
    """

    name: Result[str]
    base: Result[str]
    folder: Content[str | None]
    toy_train: Result[int | None]
    toy_public: Result[int | None]
    toy_private: Result[int | None]
    toy_seed: Result[int | None]
    real_limit: Result[float | None]
    draw_seed: Result[int]
    synthetic: Content[str | None]
    synthetic_limit: Result[int | None]
    synthetic_balance: Result[str | None]
    mix: Result[str | None]
    real_fraction: Result[float | None]
    synthetic_per_real: Result[float | None]
    real_weight: Result[float | None]
    normalize: Result[str | None]
    teacher: Content[str | None]
    teacher_weight: Result[float | None]
    teacher_temperature: Result[float | None]
    teacher_labels: Result[str | None]
    synthetic_online: Result[bool | None]
    generator: Content[str | None]

    def __post_init__(self) -> None:
        one_of("data.name", self.name, DATA)
        one_of("data.base", self.base, (self.name,) if self.name in BASES else BASES)
        self._check_meaning()
        self._check_online()
        self._check_toy()
        check_seed(self.draw_seed, "data.draw_seed")
        for key, allowed in CHOICES.items():
            if self.name in MEANT_FOR[key]:
                one_of(f"data.{key}", getattr(self, key) or "null", allowed)
        for key, (low, high) in RANGES.items():
            if getattr(self, key) is not None:
                between(f"data.{key}", getattr(self, key), low, high)
        self._check_inside("real_limit", "null is all of them")
        self._check_inside("real_weight", "null goes by their numbers")

    def _check_meaning(self) -> None:
        """Refuse a key that would be ignored."""
        for key, names in MEANT_FOR.items():
            value = getattr(self, key)
            if value is not None and self.name not in names:
                options = " or ".join(f"data={name}" for name in names)
                raise UserError(
                    f"data.{key}={value}: not with data={self.name}; expected {options}"
                )
        for key, mixes in AMOUNTS.items():
            value = getattr(self, key)
            if value is not None and self.mix not in mixes:
                options = " or ".join(f"data.mix={mix}" for mix in mixes)
                raise UserError(f"data.{key}={value}: not with mix={self.mix}; expected {options}")
        unused = self.name in BASES and self.teacher is None  # older runs have null there
        for key in () if unused else NEEDED:
            if self.name in MEANT_FOR[key] and getattr(self, key) is None:
                raise UserError(f"data.{key}=null: a value is needed with data={self.name}")
        whole = self.name == "synthetic" and self.synthetic_limit is None
        if whole and not self.synthetic_online and self.synthetic_balance == "natural":
            raise UserError(
                "data.synthetic_balance=natural: chooses among the images of a set; "
                "expected data.synthetic_limit=N with it"
            )

    def _check_online(self) -> None:
        """Refuse a source of images that would not be asked, and what needs them all at once."""
        if self.synthetic_online and self.synthetic is not None:
            raise UserError(
                f"data.synthetic={self.synthetic}: not with data.synthetic_online=true,"
                " which draws its images itself; expected null"
            )
        if self.synthetic_online and self.normalize == "source":
            raise UserError(
                "data.normalize=source: not with data.synthetic_online=true, where no "
                "set has statistics; expected shared"
            )
        if self.generator is not None and not self.synthetic_online:
            raise UserError(
                f"data.generator={self.generator}: draws images with "
                "data.synthetic_online=true alone; expected that, or null"
            )

    def _check_toy(self) -> None:
        for key in ("toy_train", "toy_public", "toy_private"):
            count = getattr(self, key)
            if self.base == "toy" and count is not None:
                at_least(f"data.{key}", count, 7)
        if self.toy_seed is not None:
            at_least("data.toy_seed", self.toy_seed, 0)

    def _check_inside(self, key: str, otherwise: str) -> None:
        value = getattr(self, key)
        if value is not None and not 0 < value < 1:
            raise UserError(
                f"data.{key}={value}: expected more than 0 and less than 1; {otherwise}"
            )

    @property
    def toy_counts(self) -> tuple[int, int, int, int]:
        """Toy faces of train, public and private, and their seed; 0 where not set."""
        size = (self.toy_train, self.toy_public, self.toy_private, self.toy_seed)
        train, public, private, seed = (count or 0 for count in size)
        return train, public, private, seed

    @property
    def faces_folder(self) -> str:
        """Where the set of data=real or data=toy lies; UserError with the others."""
        if self.name not in BASES or self.folder is None:
            raise UserError(
                f"data={self.name}: only ferbench classify learns from synthetic "
                "faces; expected data=real or data=toy"
            )
        if self.taught:
            raise UserError(
                f"data.teacher={self.teacher}: only ferbench classify has a teacher; expected null"
            )
        return self.folder

    @property
    def amount(self) -> float:
        """real_fraction or synthetic_per_real, whichever the mix goes by; UserError if not set."""
        (key,) = (key for key, mixes in AMOUNTS.items() if self.mix in mixes)
        value: float | None = getattr(self, key)
        if value is None:
            low, high = RANGES[key]
            raise UserError(
                f"data.{key}=: a value is needed with data=mixed mix={self.mix}; "
                f"expected one from {low:g} to {high:g}"
            )
        return value

    @property
    def takes_synthetic(self) -> bool:
        """Whether a synthetic set is needed; UserError if the mix lacks its amount."""
        if self.name == "mixed":
            amount = self.amount
            return self.mix == "add" or (self.mix == "replace" and amount < 1)
        return self.name == "synthetic"

    @property
    def taught(self) -> bool:
        """Whether a teacher's probabilities count for labels."""
        return self.teacher is not None and bool(self.teacher_weight)

    @property
    def taught_real(self) -> bool:
        """Whether they count for the labels of the real images too."""
        return self.taught and (self.name in BASES or self.teacher_labels == "all")

    @property
    def label(self) -> str:
        """The table's name for the training data, as mixed-add-1 or synthetic-online-taught."""
        parts = [self.name]
        if self.name == "mixed":
            parts += [str(self.mix), f"{self.amount:g}"]
        if self.real_limit is not None:
            parts += ["limit", f"{self.real_limit:g}"]
        parts += ["online"] * bool(self.synthetic_online) + ["taught"] * self.taught
        parts += ["all"] * (self.taught_real and self.name == "mixed")
        return "-".join(parts)


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
    project: Neutral[str | None]
    address: Neutral[str | None]

    def __post_init__(self) -> None:
        one_of("logger.name", self.name, LOGGERS)


def _is_file_name(name: str) -> bool:
    return bool(name) and all(c.isalnum() or c in "._-" for c in name) and name[0] not in ".-"
