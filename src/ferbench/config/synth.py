"""Config of `ferbench synth`; the values stand in conf/synth.yaml.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.config.sections import PRECISIONS, check_name, check_seed
from ferbench.errors import UserError, at_least, between, one_of

LABELS = ("expressions", "own")
BALANCES = ("equal", "natural")
CENTERS = ("global", "class")
NOISES = ("const", "seed", "none")
RESIZES = ("area", "bicubic")
EXPORTS = ("none", "folder", "zip")
SMALLEST_PX = 8


@dataclass(frozen=True)
class GanSource:
    """Where a trained generator is. A section, because `gan` is a group of config files, too."""

    path: str | None


@dataclass(frozen=True)
class Synth:
    """ferbench synth."""

    outputs: str
    name: str | None
    gan: GanSource
    n: int | None
    seed: int
    labels: str
    balance: str
    counts: str | None
    psi: float
    cutoff: int | None
    center: str
    center_latents: int
    noise: str
    out_px: int | None
    resize: str
    batch: int
    device: str
    precision: str
    force: bool
    judge: str
    export: str
    grid: bool
    interpolate: str | None
    style_mix: bool
    truncation_sheet: bool

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_name(self.name)
        self._check_choices()
        between("psi", self.psi, 0, 1)
        at_least("center_latents", self.center_latents, 1)
        at_least("batch", self.batch, 1)
        for key, low in (("n", 1), ("cutoff", 0), ("out_px", SMALLEST_PX)):
            value = getattr(self, key)
            if value is not None:
                at_least(key, value, low)
        if self.counts is not None and self.n is not None:
            raise UserError(f"n={self.n}: counts says how many; expected one of the two")

    def _check_choices(self) -> None:
        one_of("labels", self.labels, LABELS)
        one_of("balance", self.balance, BALANCES)
        one_of("center", self.center, CENTERS)
        one_of("noise", self.noise, NOISES)
        one_of("resize", self.resize, RESIZES)
        one_of("export", self.export, EXPORTS)
        one_of("precision", self.precision, PRECISIONS)
