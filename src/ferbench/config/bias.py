"""Config of `ferbench bias`; the values stand in conf/bias.yaml.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.config.data import SomeFacesConfig
from ferbench.config.sections import MOST_IMAGES, check_figures, check_name, check_seed
from ferbench.errors import UserError, at_least, at_most, between
from ferbench.recipes.marks import AsTyped, Content, Neutral, Result


@dataclass(frozen=True)
class Bias:
    """ferbench bias."""

    outputs: Neutral[AsTyped[str]]
    name: Neutral[AsTyped[str | None]]
    set: Content[AsTyped[str | None]]
    run: Content[AsTyped[str | None]]
    attributes: Content[AsTyped[str | None]]
    quantiles: Result[int]
    min_count: Result[int]
    bootstrap: Result[int]
    seed: Result[int]
    force: Neutral[bool]
    figures: Neutral[str]
    data: Content[SomeFacesConfig]

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_name(self.name)
        check_figures(self.figures)
        if self.run is not None and self.set is not None:
            raise UserError(
                f"set={self.set}: run={self.run} is examined on its own test split; "
                "expected one of the two"
            )
        between("quantiles", self.quantiles, 2, 20)
        at_least("min_count", self.min_count, 2)
        at_most("min_count", self.min_count, MOST_IMAGES, "no set has so many")
        between("bootstrap", self.bootstrap, 10, 100_000)
