"""Config of `ferbench fidelity`; the values stand in conf/fidelity.yaml.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.config.data import SomeFacesConfig
from ferbench.config.sections import (
    IN_MEMORY,
    MANY_IMAGES,
    MOST_IMAGES,
    MOST_IN_MEMORY,
    PRECISIONS,
    check_batch,
    check_figures,
    check_name,
    check_seed,
)
from ferbench.config.synth import GanSource
from ferbench.errors import at_least, at_most, one_of
from ferbench.recipes.marks import AsTyped, Content, Neutral, Result

FEATURES = ("fer", "inception")
MAPS = ("pca", "tsne", "umap", "none")


@dataclass(frozen=True)
class MetricsConfig:
    """How the numbers are taken: see ferbench.fidelity.comparison.How."""

    neighbors: Result[int]
    density_neighbors: Result[int]
    neighbor_images: Result[int]
    kid_subsets: Result[int]
    kid_images: Result[int]
    score_splits: Result[int]
    diversity_images: Result[int]

    def __post_init__(self) -> None:
        least = {"neighbor_images": 100, "kid_images": 2, "diversity_images": 2}
        for key, value in vars(self).items():
            at_least(f"metrics.{key}", value, least.get(key, 1))
            at_most(f"metrics.{key}", value, MOST_IN_MEMORY, IN_MEMORY)


@dataclass(frozen=True)
class Fidelity:
    """ferbench fidelity."""

    outputs: Neutral[AsTyped[str]]
    name: Neutral[AsTyped[str | None]]
    set: Content[AsTyped[str | None]]
    n: Result[int | None]
    features: Result[str]
    judge: Content[AsTyped[str]]
    weights: Content[AsTyped[str | None]]
    gan: Content[GanSource]
    path_pairs: Result[int]
    map: Result[str]
    map_images: Result[int]
    seed: Result[int]
    batch: Neutral[int]
    device: Neutral[str]
    precision: Content[str]
    force: Neutral[bool]
    figures: Neutral[str]
    data: Content[SomeFacesConfig]
    metrics: Result[MetricsConfig]

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_name(self.name)
        check_figures(self.figures)
        one_of("features", self.features, FEATURES)
        one_of("map", self.map, MAPS)
        at_least("map_images", self.map_images, 10)
        at_most("map_images", self.map_images, MOST_IN_MEMORY, IN_MEMORY)
        one_of("precision", self.precision, PRECISIONS)
        check_batch(self.batch)
        at_least("path_pairs", self.path_pairs, 100)
        at_most("path_pairs", self.path_pairs, MOST_IMAGES, MANY_IMAGES)
        at_most("n", self.n, MOST_IMAGES, MANY_IMAGES)
        if self.n is not None:
            at_least("n", self.n, 1)
