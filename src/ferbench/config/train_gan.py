"""What `ferbench train-gan` takes; values in conf/train_gan.yaml and conf/gan/.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.config.data import SomeFacesConfig
from ferbench.config.sections import PRECISIONS, LoggerConfig, check_name, check_seed
from ferbench.errors import at_most, one_of, positive
from ferbench.recipes.gan import LONG_TRAINING, MOST_KIMG, GanRecipe, check_resolution
from ferbench.recipes.marks import AsTyped, Content, Neutral, Result


@dataclass(frozen=True)
class TrainGan:
    """ferbench train-gan."""

    outputs: Neutral[AsTyped[str]]
    name: Neutral[AsTyped[str | None]]
    seed: Result[int]
    device: Content[str]
    precision: Content[str]
    force: Neutral[bool]
    resume: Content[AsTyped[str | None]]
    res: Content[int | None]
    total_kimg: Neutral[float | None]
    judge: Neutral[AsTyped[str]]
    plan: Neutral[bool]
    data: Result[SomeFacesConfig]
    gan: Result[GanRecipe]
    logger: Neutral[LoggerConfig]

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_name(self.name)
        one_of("precision", self.precision, PRECISIONS)
        if self.res is not None:
            check_resolution("res", self.res)
        if self.total_kimg is not None:
            positive("total_kimg", self.total_kimg)
        at_most("total_kimg", self.total_kimg, MOST_KIMG, LONG_TRAINING)
