"""The figures of `ferbench fidelity`: bars by class, confusion, features in a plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ferbench.classifiers.figures import plot_confusion
from ferbench.fidelity import feature_space, figures
from ferbench.fidelity.comparison import ALL, Described, Values
from ferbench.fidelity.figures import Panel, Points
from ferbench.fidelity.report import Measured
from ferbench.metrics.feature_sets import principal_plane

SHOWN_POINTS = 2000  # of each side in the plane of principal components
MAP_NAMES = {"tsne": "t-SNE", "umap": "UMAP"}


def draw(
    folder: Path,
    found: Measured,
    real: Described,
    sample: Described,
    *,
    seed: int,
    map: str,
    map_images: int,
) -> list[tuple[Path, str]]:
    """Write the figures into the folder; each with its caption.

    map: of the features: "pca" (the plane of principal components alone), "tsne" or "umap" (one
    more figure), "none" (neither). map_images: of each side in that further figure, at most.
    """
    drawn = [(_draw_classes(folder / "classes.png", found), "The classes one by one.")]
    if found.whole.gate is not None:
        path = folder / "confusion.png"
        plot_confusion(found.whole.gate, path=path, title="the judge on this set")
        drawn.append((path, "What the judge takes the images for; rows are their labels."))
    if map == "none":
        return drawn
    path = folder / "components.png"
    _draw_components(path, found, real, sample, seed)
    drawn.append((path, "The two largest principal components of the real images' features."))
    if map != "pca":
        path = folder / "map.png"
        _draw_map(path, [real, sample], map, map_images, seed)
        drawn.append(
            (
                path,
                f"Both sides' features by {MAP_NAMES[map]}, fitted to them together: near "
                "points are alike, far ones and sizes of clouds mean nothing. Where real and "
                "synthetic images form clouds of their own, the network tells them apart.",
            )
        )
    return drawn


def _draw_classes(path: Path, found: Measured) -> Path:
    def series(value: Callable[[Values], float], *names: str) -> dict[str, list[float]]:
        return {name: [value(v) for v in found.sides[name].values.classes] for name in names}

    ends = {"set": found.whole, "floor": found.floor}
    spread = {name: found.diversity(side).tolist() for name, side in ends.items()}
    panels = [
        Panel("FID (lower is nearer)", series(lambda v: v.fid, "set", "matched", "floor")),
        Panel("coverage", series(lambda v: v.coverage, "matched", "floor")),
        Panel("diversity, share of the reference's", spread),
    ]
    if found.has_gate:
        recall = {name: side.recall.tolist() for name, side in ends.items()}
        panels.append(Panel("gate: share taken for its class", recall))
    figures.plot_panels(panels, path=path)
    return path


def _draw_components(
    path: Path, found: Measured, real: Described, sample: Described, seed: int
) -> None:
    whole = found.real.parts[ALL]
    plane = principal_plane(whole.mean, whole.covariance)
    groups = []
    for title, side in (("real (reference)", real), ("set", sample)):
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(side), min(SHOWN_POINTS, len(side)), replace=False)
        groups.append(Points(title, plane.project(side.features[rows]), side.labels[rows]))
    one, two = (f"component {i} ({100 * s:.0f} %)" for i, s in enumerate(plane.shares, 1))
    figures.plot_points(
        groups, path=path, title="features, each class named at its middle", axis_names=(one, two)
    )


def _draw_map(path: Path, sides: Sequence[Described], kind: str, images: int, seed: int) -> None:
    """Some images of the reference and of the set in one map, by class and by source."""
    some = []
    for side in sides:
        rows = np.random.default_rng(seed).choice(len(side), min(images, len(side)), replace=False)
        some.append(side.take(np.sort(rows)))
    xy = feature_space.plane(np.concatenate([s.features for s in some]), kind, seed=seed)
    titles, places = ("real (reference)", "set"), np.split(xy, [len(some[0])])
    groups = [Points(t, at, s.labels) for t, at, s in zip(titles, places, some, strict=True)]
    figures.plot_points(
        groups,
        path=path,
        title=f"features by {MAP_NAMES[kind]}, each class named at its middle",
        axis_names=("", ""),
        together="both, by source",
    )
