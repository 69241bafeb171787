"""Config of `ferbench fidelity`; the values stand in conf/fidelity.yaml.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.config.sections import PRECISIONS, DataConfig, check_name, check_seed
from ferbench.config.synth import GanSource
from ferbench.errors import at_least, one_of

FEATURES = ("fer", "inception")
MAPS = ("pca", "tsne", "umap", "none")


@dataclass(frozen=True)
class MetricsConfig:
    """How the numbers are taken: see ferbench.fidelity.comparison.How."""

    neighbors: int
    density_neighbors: int
    neighbor_images: int
    kid_subsets: int
    kid_images: int
    score_splits: int
    diversity_images: int

    def __post_init__(self) -> None:
        least = {"neighbor_images": 100, "kid_images": 2, "diversity_images": 2}
        for key, value in vars(self).items():
            at_least(f"metrics.{key}", value, least.get(key, 1))


@dataclass(frozen=True)
class Fidelity:
    """ferbench fidelity."""

    outputs: str
    name: str | None
    set: str | None
    n: int | None
    features: str
    judge: str
    weights: str | None
    gan: GanSource
    path_pairs: int
    map: str
    map_images: int
    seed: int
    batch: int
    device: str
    precision: str
    force: bool
    data: DataConfig
    metrics: MetricsConfig

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_name(self.name)
        one_of("features", self.features, FEATURES)
        one_of("map", self.map, MAPS)
        at_least("map_images", self.map_images, 10)
        one_of("precision", self.precision, PRECISIONS)
        at_least("batch", self.batch, 1)
        at_least("path_pairs", self.path_pairs, 100)
        if self.n is not None:
            at_least("n", self.n, 1)
