"""Config of `ferbench curate`; the values stand in conf/curate.yaml.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.config.data import SomeFacesConfig
from ferbench.config.sections import (
    MANY_CELLS,
    MANY_IMAGES,
    MOST_CELLS,
    MOST_IMAGES,
    PRECISIONS,
    check_batch,
    check_name,
    check_seed,
)
from ferbench.config.synth import BALANCES, GanSource
from ferbench.errors import UserError, at_least, at_most, between, one_of
from ferbench.recipes.marks import AsTyped, Content, Neutral, Result

MISMATCHED = ("drop", "correct", "keep")
SHORT = ("accept", "refuse")
SHARES = ("confidence", "keep_share", "mismatch_confidence", "psi")


@dataclass(frozen=True)
class Curate:
    """ferbench curate."""

    outputs: Neutral[AsTyped[str]]
    name: Neutral[AsTyped[str | None]]
    set: Content[AsTyped[str | None]]
    gan: Content[GanSource]
    pool_per_image: Content[float]
    psi: Content[float]
    n: Result[int | None]
    balance: Result[str]
    short: Neutral[str]
    seed: Result[int]
    judge: Content[AsTyped[str]]
    mismatched: Result[str]
    mismatch_confidence: Result[float]
    confidence: Result[float | None]
    keep_share: Result[float | None]
    train_copies: Result[bool]
    near_correlation: Result[float]
    drop_correlation: Result[float]
    quantile: Result[float]
    duplicates: Result[bool]
    spread: Result[bool]
    cells: Result[int]
    gate_judge: Neutral[AsTyped[str]]
    batch: Neutral[int]
    device: Neutral[str]
    precision: Content[str]
    force: Neutral[bool]
    data: Content[SomeFacesConfig]

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_name(self.name)
        self._check_choices()
        for key in SHARES:
            if getattr(self, key) is not None:
                between(key, getattr(self, key), 0, 1)
        between("near_correlation", self.near_correlation, 0.9, 1)
        between("drop_correlation", self.drop_correlation, 0.8, self.near_correlation)
        between("quantile", self.quantile, 0, 0.1)
        between("pool_per_image", self.pool_per_image, 1, 1000)
        at_least("cells", self.cells, 1)
        at_most("cells", self.cells, MOST_CELLS, MANY_CELLS)
        check_batch(self.batch)
        at_most("n", self.n, MOST_IMAGES, MANY_IMAGES)
        if self.n is not None:
            at_least("n", self.n, 7)
        self._check_pool()

    def _check_choices(self) -> None:
        one_of("balance", self.balance, BALANCES)
        one_of("short", self.short, SHORT)
        one_of("mismatched", self.mismatched, MISMATCHED)
        one_of("precision", self.precision, PRECISIONS)

    def _check_pool(self) -> None:
        if self.gan.path is not None and self.set is not None:
            raise UserError(f"set={self.set}: gan= draws the pool; expected one of the two")
        if self.gan.path is not None and self.n is None:
            raise UserError(
                f"n=null: with gan={self.gan.path} it says how much to draw; expected n=NUMBER"
            )
