"""Controls: sets of which it is known whether they hold training images.

The negative control takes real held-out images for synthetic ones; nothing may be found. The
positive ones plant training images in that set, and tell from what share on each test finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ferbench.privacy import portrait as copying
from ferbench.privacy.plants import VARIANTS
from ferbench.privacy.portrait import Attackeds, Outcomes, Portrait
from ferbench.privacy.real import Real, Seat, halves
from ferbench.privacy.roles import Attacked, smallest
from ferbench.similarity.views import Views, view

TRAINED = ("judge",)  # spaces that learned from the training images themselves


@dataclass(frozen=True)
class Controls:
    """What the tests say of the control sets.

    images: of each set. bias: outcomes for held-out images in the spaces of `TRAINED`, from a
    first half of them. negative: outcomes for the second half. levels: planted images, ascending.
    positive: by variant, the outcomes at each level.
    """

    images: int
    bias: Outcomes
    negative: Outcomes
    levels: tuple[int, ...]
    positive: dict[str, tuple[Outcomes, ...]]

    def limit(self, variant: str, alpha: float, test: tuple[str, str] | None = None) -> int | None:
        """Planted images from which on the test flags the set (any sound test for None)."""
        flags = [self._flagged(found, alpha, test) for found in self.positive[variant]]
        missed = [i for i, flag in enumerate(flags) if not flag]
        first = missed[-1] + 1 if missed else 0
        return self.levels[first] if first < len(self.levels) else None

    def unsound(self, alpha: float) -> list[tuple[str, str]]:
        """Tests that flag the negative control: they say nothing."""
        return [key for key, found in self.negative.items() if found.p < alpha]

    def _flagged(self, found: Outcomes, alpha: float, test: tuple[str, str] | None) -> bool:
        if test is not None:
            return test in found and found[test].p < alpha
        unsound = self.unsound(alpha)
        return any(one.p < alpha for key, one in found.items() if key not in unsound)


def run(
    real: Real,
    *,
    images: int,
    percents: Sequence[float],
    quantile: float,
    near_correlation: float,
    rng: np.random.Generator,
    on_step: Callable[[str], None],
) -> Controls:
    """Make and measure the control sets.

    images: their size at most; percents: planted shares, besides a single image.
    """
    first, second = halves(real.held.labels, rng)
    on_step("controls: held-out images")
    outcomes = _Outcomes(real, near_correlation)
    other = Seat(real, second, quantile=quantile, rng=rng)
    rows = _some(first, images, rng)
    known = copying.study(real.held.images[rows], real, other, views=_views(real, rows))
    measured = outcomes(*known, other, {})
    bias = {key: found for key, found in measured.items() if key[1] in TRAINED}
    seat = Seat(real, first, quantile=quantile, rng=rng)
    base = rng.permutation(_some(second, images, rng))
    levels = tuple(sorted({1, *(max(round(p * len(base) / 100), 1) for p in percents)}))
    background = _Background(base, real, seat, levels)
    negative = outcomes(background.portrait, background.attacked(0), seat, bias)
    positive = {}
    for variant, change in VARIANTS.items():
        on_step(f"controls: {variant} copies")
        rows = rng.permutation(len(real.members))[: levels[-1]]
        planted = _Planted(change(real.members.images[rows], rng), real, seat, levels)
        positive[variant] = tuple(
            outcomes(*_mixed(background, planted, i), seat, bias) for i in range(len(levels))
        )
    return Controls(len(base), bias, negative, levels, positive)


@dataclass(frozen=True)
class _Outcomes:
    """`copying.outcomes` with what does not change from set to set."""

    real: Real
    near_correlation: float

    def __call__(
        self, portrait: Portrait, attacked: Attackeds, seat: Seat, bias: Outcomes
    ) -> Outcomes:
        return copying.outcomes(
            portrait, attacked, self.real, seat, near_correlation=self.near_correlation, bias=bias
        )


class _Background:
    """The control set without planted images; level i gives up its first levels[i] ones."""

    def __init__(self, rows: np.ndarray, real: Real, seat: Seat, levels: tuple[int, ...]) -> None:
        bounds, images, views = [0, *levels, len(rows)], real.held.images[rows], _views(real, rows)
        self.portrait, self._blocks = _in_blocks(images, views, bounds, real, seat)

    def attacked(self, given_up: int) -> Attackeds:
        """Distances to the nearest image but those of the first `given_up` blocks."""
        return _joined(self._blocks[given_up:])


class _Planted:
    """Planted images; level i takes the first levels[i] of them."""

    def __init__(self, images: np.ndarray, real: Real, seat: Seat, levels: tuple[int, ...]) -> None:
        self.levels = levels
        views = {name: view(images, encode) for name, encode in real.encoders.items()}
        self.portrait, self._blocks = _in_blocks(images, views, [0, *levels], real, seat)

    def attacked(self, taken: int) -> Attackeds:
        """Distances to the nearest image of the first `taken` blocks."""
        return _joined(self._blocks[:taken])


def _in_blocks(
    images: np.ndarray, views: Mapping[str, Views], bounds: Sequence[int], real: Real, seat: Seat
) -> tuple[Portrait, list[Attackeds]]:
    """The portrait of all images, and the distances to those of each block; empty ones are left."""
    parts = []
    for low, high in pairwise(bounds):
        if high > low:
            inside = {name: known.take(slice(low, high)) for name, known in views.items()}
            parts.append(copying.study(images[low:high], real, seat, views=inside))
    portrait = parts[0][0]
    for part, _ in parts[1:]:
        portrait = portrait.then(part)
    return portrait, [attacked for _, attacked in parts]


def _mixed(background: _Background, planted: _Planted, i: int) -> tuple[Portrait, Attackeds]:
    """The set with the planted images of level i in the place of as many others."""
    count = planted.levels[i]
    portrait = planted.portrait.take(slice(count)).then(
        background.portrait.take(slice(count, None))
    )
    return portrait, _joined([planted.attacked(i + 1), background.attacked(i + 1)])


def _joined(blocks: Sequence[Attackeds]) -> Attackeds:
    found: dict[str, Attacked] = {}
    for name in blocks[0]:
        found[name] = smallest(block[name] for block in blocks)
    return found


def _views(real: Real, rows: np.ndarray) -> dict[str, Views]:
    """What is known of held-out images already."""
    return {name: views.take(rows) for name, views in real.held_views.items()}


def _some(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.permutation(rows)[:count])
