"""The section `data`: which faces a command reads, and what a classifier learns from.

Most commands read one set of real or toy faces. A classifier may learn from synthetic faces beside
or instead of them, and from a teacher's labels. The values stand in conf/data/.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass
from operator import attrgetter

from ferbench.config.sections import IN_MEMORY, MOST_IMAGES, MOST_IN_MEMORY, check_seed
from ferbench.errors import UserError, at_least, at_most, between, one_of
from ferbench.recipes.marks import AsTyped, Content, Result

BASES = ("real", "toy")
MADE = ("synthetic", "mixed")  # what synthetic faces take part in
BALANCES = ("equal", "natural")
LEVELS = ("shared", "source")
TEACHER_LABELS = ("synthetic", "all")
AMOUNTS = {  # by how real and synthetic faces are mixed: the key that says how many, and its range
    "replace": ("real_fraction", 0, 1),
    "add": ("synthetic_per_real", 0.01, 1000),
    "augment": ("synthetic_per_real", 0.01, 1000),
}
ONLY_WITH = {  # the keys that have a meaning with some options alone; they are null with others
    "base": MADE,
    "real_limit": (*BASES, "mixed"),
    "synthetic.folder": MADE,
    "synthetic.limit": ("synthetic",),
    "synthetic.balance": MADE,
    "synthetic.normalize": MADE,
    "synthetic.online": MADE,
    "synthetic.generator": MADE,
    "mix.how": ("mixed",),
    "mix.real_fraction": ("mixed",),
    "mix.synthetic_per_real": ("mixed",),
    "mix.real_weight": ("mixed",),
    "teacher.labels": ("mixed",),
}
NEEDED = (  # those of them that are never null where they have a meaning
    "base",
    "synthetic.balance",
    "synthetic.normalize",
    "synthetic.online",
    "mix.how",
    "teacher.labels",
)


@dataclass(frozen=True)
class ToyConfig:
    """How many toy faces of each split are rendered, from which seed; all null with data=real."""

    train: Result[int | None]
    public: Result[int | None]
    private: Result[int | None]
    seed: Result[int | None]

    def __post_init__(self) -> None:
        for key, low in (("train", 7), ("public", 7), ("private", 7), ("seed", 0)):
            if getattr(self, key) is not None:
                at_least(f"data.toy.{key}", getattr(self, key), low)
        for key in ("train", "public", "private"):
            at_most(f"data.toy.{key}", getattr(self, key), MOST_IN_MEMORY, IN_MEMORY)
        if self.seed is not None:
            check_seed(self.seed, "data.toy.seed")

    @property
    def size(self) -> tuple[int, int, int, int]:
        """Faces of train, public and private, and their seed; 0 where not set."""
        return self.train or 0, self.public or 0, self.private or 0, self.seed or 0


@dataclass(frozen=True)
class FacesConfig:
    """A set of real or toy faces: values in conf/data/real.yaml and toy.yaml."""

    name: Result[str]
    folder: Content[AsTyped[str]]
    toy: Result[ToyConfig]

    def __post_init__(self) -> None:
        one_of("data.name", self.name, BASES)
        check_toy(self.toy, self.name, self.name)


@dataclass(frozen=True)
class SomeFacesConfig(FacesConfig):
    """A set of real or toy faces, of whose Training split a part may be left out."""

    real_limit: Result[float | None]
    draw_seed: Result[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_limit(self.real_limit, self.draw_seed)


@dataclass(frozen=True)
class SyntheticConfig:
    """The synthetic faces to learn from: a set, or a generator that draws new ones every epoch."""

    folder: Content[AsTyped[str | None]]
    limit: Result[int | None]
    balance: Result[str | None]
    normalize: Result[str | None]
    online: Result[bool | None]
    generator: Content[AsTyped[str | None]]

    def __post_init__(self) -> None:
        if self.balance is not None:
            one_of("data.synthetic.balance", self.balance, BALANCES)
        if self.normalize is not None:
            one_of("data.synthetic.normalize", self.normalize, LEVELS)
        if self.limit is not None:
            between("data.synthetic.limit", self.limit, 7, MOST_IMAGES)
        if self.online:
            self._check_online()
        elif self.generator is not None:
            raise UserError(
                f"data.synthetic.generator={self.generator}: draws images with "
                "data.synthetic.online=true alone; expected that, or null"
            )

    def _check_online(self) -> None:
        """Refuse a source of images that would not be used, and what needs them all at once."""
        if self.folder is not None:
            raise UserError(
                f"data.synthetic.folder={self.folder}: not with data.synthetic.online=true,"
                " which draws its images itself; expected null"
            )
        if self.normalize == "source":
            raise UserError(
                "data.synthetic.normalize=source: not with data.synthetic.online=true, where no "
                "set has statistics; expected shared"
            )


@dataclass(frozen=True)
class MixConfig:
    """How real and synthetic faces are mixed, with data=mixed."""

    how: Result[str | None]
    real_fraction: Result[float | None]
    synthetic_per_real: Result[float | None]
    real_weight: Result[float | None]

    def __post_init__(self) -> None:
        if self.how is not None:
            one_of("data.mix.how", self.how, AMOUNTS)
            self._check_amount(self.how)
        _check_inside("data.mix.real_weight", self.real_weight, "null goes by their numbers")

    def _check_amount(self, how: str) -> None:
        for key in ("real_fraction", "synthetic_per_real"):
            value = getattr(self, key)
            own, low, high = AMOUNTS[how]
            if value is not None and key != own:
                options = [f"mix={other}" for other in AMOUNTS if AMOUNTS[other][0] == key]
                raise UserError(
                    f"data.mix.{key}={value}: not with mix={how}; expected {' or '.join(options)}"
                )
            if value is not None:
                between(f"data.mix.{key}", value, low, high)

    @property
    def amount(self) -> float:
        """real_fraction or synthetic_per_real, whichever the mix goes by; UserError if not set."""
        key, low, high = AMOUNTS[str(self.how)]
        value: float | None = getattr(self, key)
        if value is None:
            raise UserError(
                f"data.mix.{key}=: a value is needed with data=mixed mix={self.how}; "
                f"expected one from {low:g} to {high:g}"
            )
        return value


@dataclass(frozen=True)
class TeacherConfig:
    """A trained classifier whose probabilities replace labels."""

    run: Content[AsTyped[str | None]]
    weight: Result[float]
    temperature: Result[float]
    labels: Result[str | None]

    def __post_init__(self) -> None:
        between("data.teacher.weight", self.weight, 0, 1)
        between("data.teacher.temperature", self.temperature, 0.05, 100)
        if self.labels is not None:
            one_of("data.teacher.labels", self.labels, TEACHER_LABELS)

    @property
    def off(self) -> bool:
        """Whether no teacher is used."""
        return self.run is None or self.weight == 0


@dataclass(frozen=True)
class DataConfig:
    """What a classifier learns from, and whose held-out faces score it.

    base: real or toy, whose held-out faces those are with data=synthetic and data=mixed.
    """

    name: Result[str]
    base: Result[str | None]
    folder: Content[AsTyped[str | None]]
    toy: Result[ToyConfig]
    real_limit: Result[float | None]
    draw_seed: Result[int]
    synthetic: Result[SyntheticConfig]
    mix: Result[MixConfig]
    teacher: Result[TeacherConfig]

    def __post_init__(self) -> None:
        one_of("data.name", self.name, (*BASES, *MADE))
        for key, names in ONLY_WITH.items():
            self._check_meaning(key, names)
        if self.base is not None:
            one_of("data.base", self.base, BASES)
        check_toy(self.toy, self.name, self.faces)
        _check_limit(self.real_limit, self.draw_seed)
        self._check_balance()

    def _check_meaning(self, key: str, names: tuple[str, ...]) -> None:
        """Refuse a value that would be ignored, and null where a value is needed."""
        value = attrgetter(key)(self)
        if value is not None and self.name not in names:
            options = " or ".join(f"data={name}" for name in names)
            raise UserError(f"data.{key}={value}: not with data={self.name}; expected {options}")
        if value is None and self.name in names and key in NEEDED:
            raise UserError(f"data.{key}=null: a value is needed with data={self.name}")

    def _check_balance(self) -> None:
        synthetic = self.synthetic
        whole = self.name == "synthetic" and synthetic.limit is None and not synthetic.online
        if whole and synthetic.balance == "natural":
            raise UserError(
                "data.synthetic.balance=natural: chooses among the images of a set; "
                "expected data.synthetic.limit=N with it"
            )

    @property
    def faces(self) -> str:
        """real or toy: whose held-out faces select and score."""
        return self.base or self.name

    @property
    def takes_synthetic(self) -> bool:
        """Whether synthetic faces are needed; UserError if the mix lacks its amount."""
        if self.name == "mixed":
            amount = self.mix.amount
            return self.mix.how == "add" or (self.mix.how == "replace" and amount < 1)
        return self.name == "synthetic"

    @property
    def taught(self) -> bool:
        """Whether a teacher's probabilities replace labels."""
        return not self.teacher.off

    @property
    def taught_real(self) -> bool:
        """Whether they replace the labels of the real images too."""
        return self.taught and (self.name in BASES or self.teacher.labels == "all")

    @property
    def label(self) -> str:
        """The table's name for the training data, as mixed-add-1 or synthetic-online-taught."""
        parts = [self.name]
        if self.name == "mixed":
            parts += [str(self.mix.how), f"{self.mix.amount:g}"]
        if self.real_limit is not None:
            parts += ["limit", f"{self.real_limit:g}"]
        parts += ["online"] * bool(self.synthetic.online) + ["taught"] * self.taught
        parts += ["all"] * (self.taught_real and self.name == "mixed")
        return "-".join(parts)


def check_toy(toy: ToyConfig, name: str, faces: str) -> None:
    """Refuse a number of toy faces where none are rendered, and its absence where they are."""
    for key, value in vars(toy).items():
        if value is not None and name == "real":
            raise UserError(f"data.toy.{key}={value}: not with data=real; expected data=toy")
        if value is None and faces == "toy":
            raise UserError(f"data.toy.{key}=null: toy faces need a number")


def _check_limit(real_limit: float | None, draw_seed: int) -> None:
    _check_inside("data.real_limit", real_limit, "null is all of them")
    check_seed(draw_seed, "data.draw_seed")


def _check_inside(key: str, value: float | None, otherwise: str) -> None:
    if value is not None and not 0 < value < 1:
        raise UserError(f"{key}={value}: expected more than 0 and less than 1; {otherwise}")
