"""Controls: sets of which it is known whether they hold training images.

The negative control takes real held-out images for synthetic ones, and no test may flag it. The
positive ones plant training images in that set, changed as a generator that has memorized them
might give them back, and show from what share on each test flags the set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional

from ferbench.classes import IMAGE_PX
from ferbench.privacy import portrait as portraits
from ferbench.privacy.findings import Controls, Options, Outcomes, Portrait
from ferbench.privacy.portrait import Distances
from ferbench.privacy.real import Comparison, Real, halves
from ferbench.privacy.roles import smallest
from ferbench.similarity.views import Views, view

TRAINED = ("judge",)  # spaces that learned from the training images themselves
CROP_PX = 44  # of 48: a twelfth of each side is lost
COARSE_PX = 24  # a faded copy has lost what is finer
CONTRAST, BRIGHTNESS, NOISE = 0.15, 15.0, 8.0  # share, gray levels, gray levels


def run(
    real: Real,
    options: Options,
    *,
    images: int,
    rng: np.random.Generator,
    on_step: Callable[[str], None],
) -> Controls:
    """Make and measure the control sets.

    images: their size at most. options.percents: planted shares, besides a single image.
    """
    first, second = halves(real.held.labels, rng)
    on_step("controls: held-out images")
    other = Comparison(real, second, quantile=options.quantile, rng=rng)
    rows = _some(first, images, rng)
    measured = portraits.measure(real.held.images[rows], other, views=_views(real, rows))
    outcomes = _Outcomes(other, options.near_correlation, {})(*measured)
    bias = {key: one for key, one in outcomes.items() if key[1] in TRAINED}
    comparison = Comparison(real, first, quantile=options.quantile, rng=rng)
    outcomes_of = _Outcomes(comparison, options.near_correlation, bias)
    base = rng.permutation(_some(second, images, rng))
    levels = _levels(options.percents, len(base))
    background = _Background(base, comparison, levels)
    negative = outcomes_of(background.portrait, background.distances(0))
    positive = {}
    for variant, change in VARIANTS.items():
        on_step(f"controls: {variant} copies")
        rows = rng.permutation(len(real.members))[: levels[-1]]
        planted = _Planted(change(real.members.images[rows], rng), comparison, levels)
        positive[variant] = tuple(
            outcomes_of(*_mixed(background, planted, i)) for i in range(len(levels))
        )
    return Controls(len(base), bias, negative, levels, positive)


def _levels(percents: Sequence[float], images: int) -> tuple[int, ...]:
    """Numbers of planted images, ascending: one, and these shares of a control set."""
    return tuple(sorted({1, *(max(round(p * images / 100), 1) for p in percents)}))


@dataclass(frozen=True)
class _Outcomes:
    """`portrait.outcomes` with what does not change from set to set."""

    comparison: Comparison
    near_correlation: float
    bias: Outcomes

    def __call__(self, portrait: Portrait, distances: Distances) -> Outcomes:
        near = self.near_correlation
        return portraits.outcomes(
            portrait, distances, self.comparison, near_correlation=near, bias=self.bias
        )


class _Background:
    """The control set without planted images; level i gives up its first levels[i] ones."""

    def __init__(self, rows: np.ndarray, comparison: Comparison, levels: tuple[int, ...]) -> None:
        real, bounds = comparison.real, [0, *levels, len(rows)]
        views = _views(real, rows)
        self.portrait, self._blocks = _in_blocks(real.held.images[rows], views, bounds, comparison)

    def distances(self, given_up: int) -> Distances:
        """Distances to the nearest image but those of the first `given_up` blocks."""
        return _joined(self._blocks[given_up:])


class _Planted:
    """Planted images; level i takes the first levels[i] of them."""

    def __init__(self, images: np.ndarray, comparison: Comparison, levels: tuple[int, ...]) -> None:
        self.levels = levels
        views = {name: view(images, encode) for name, encode in comparison.real.encoders.items()}
        self.portrait, self._blocks = _in_blocks(images, views, [0, *levels], comparison)

    def distances(self, taken: int) -> Distances:
        """Distances to the nearest image of the first `taken` blocks."""
        return _joined(self._blocks[:taken])


def _in_blocks(
    images: np.ndarray, views: Mapping[str, Views], bounds: Sequence[int], comparison: Comparison
) -> tuple[Portrait, list[Distances]]:
    """The portrait of all images, and the distances to those of each block that is not empty."""
    parts = []
    for low, high in pairwise(bounds):
        if high > low:
            own = {name: one.take(slice(low, high)) for name, one in views.items()}
            parts.append(portraits.measure(images[low:high], comparison, views=own))
    portrait = parts[0][0]
    for part, _ in parts[1:]:
        portrait = portrait.then(part)
    return portrait, [distances for _, distances in parts]


def _mixed(background: _Background, planted: _Planted, i: int) -> tuple[Portrait, Distances]:
    """The set with the planted images of level i in the place of as many others."""
    count = planted.levels[i]
    portrait = planted.portrait.take(slice(count)).then(
        background.portrait.take(slice(count, None))
    )
    return portrait, _joined([planted.distances(i + 1), background.distances(i + 1)])


def _joined(blocks: Sequence[Distances]) -> Distances:
    return {name: smallest(block[name] for block in blocks) for name in blocks[0]}


def _views(real: Real, rows: np.ndarray) -> dict[str, Views]:
    """What is known of held-out images already."""
    return {name: views.take(rows) for name, views in real.held_views.items()}


def _some(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.permutation(rows)[:count])


# --- planted copies ------------------------------------------------------------------------------


def plain(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The images as they are."""
    return np.array(images)


def mirrored(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Left and right exchanged."""
    return np.ascontiguousarray(images[:, :, ::-1])


def cropped(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random window of 44 x 44 pixels, enlarged to 48 x 48."""
    corners = rng.integers(0, IMAGE_PX - CROP_PX + 1, (len(images), 2))
    windows = [
        image[y : y + CROP_PX, x : x + CROP_PX]
        for image, (y, x) in zip(images, corners, strict=True)
    ]
    return _to_gray_levels(_resized(np.stack(windows), IMAGE_PX, "bilinear")[:, 0].numpy())


def faded(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blurred to half the resolution, of other contrast and brightness, and noisy."""
    coarse = _resized(images, COARSE_PX, "area")
    soft = functional.interpolate(coarse, size=IMAGE_PX, mode="bilinear")[:, 0].numpy()
    shape = (len(images), 1, 1)
    mean = soft.mean(axis=(1, 2), keepdims=True)
    contrast = 1 + rng.uniform(-CONTRAST, CONTRAST, shape)
    brightness = rng.uniform(-BRIGHTNESS, BRIGHTNESS, shape)
    noise = rng.normal(0, NOISE, soft.shape)
    return _to_gray_levels((soft - mean) * contrast + mean + brightness + noise)


VARIANTS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "plain": plain,
    "mirrored": mirrored,
    "cropped": cropped,
    "faded": faded,
}


def _resized(images: np.ndarray, px: int, mode: str) -> torch.Tensor:
    """[N, 1, px, px] float32."""
    pixels = torch.from_numpy(np.array(images, dtype=np.float32))[:, None]
    return functional.interpolate(pixels, size=px, mode=mode)


def _to_gray_levels(values: np.ndarray) -> np.ndarray:
    """To the nearest gray level, [0, 255] uint8."""
    levels: np.ndarray = values.round().clip(0, 255).astype(np.uint8)
    return levels
