"""All that is measured of one set of images: its copies, and its distances in every space."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ferbench.privacy import statistics
from ferbench.privacy.findings import Candidates, Outcome, Outcomes, Portrait
from ferbench.privacy.real import Comparison
from ferbench.privacy.roles import smallest
from ferbench.privacy.space import standing_out
from ferbench.similarity import matches
from ferbench.similarity.views import Views, hashes, nearest_real, view

BLOCK = 8192  # images of a set at a time
Distances = dict[str, Candidates]  # of each candidate to the nearest image of a set, by space


def measure(
    images: np.ndarray, comparison: Comparison, *, views: Mapping[str, Views] | None = None
) -> tuple[Portrait, Distances]:
    """The portrait of a set [N, 48, 48] uint8, and how near the candidates are to it.

    views: of the images in every space, where they are known. The set is read a block at a time.
    """
    portrait: Portrait | None = None
    blocks: dict[str, list[Candidates]] = {name: [] for name in comparison.spaces}
    for start in range(0, len(images), BLOCK):
        rows = slice(start, start + BLOCK)
        block = np.ascontiguousarray(images[rows])
        own = {
            name: view(block, encode) if views is None else views[name].take(rows)
            for name, encode in comparison.real.encoders.items()
        }
        part = _portrait(block, own, comparison)
        portrait = part if portrait is None else portrait.then(part)
        for name, space in comparison.spaces.items():
            blocks[name].append(space.distances(own[name]))
    assert portrait is not None, "an empty set"
    return portrait, {name: smallest(parts) for name, parts in blocks.items()}


def _portrait(images: np.ndarray, views: Mapping[str, Views], comparison: Comparison) -> Portrait:
    real, edges = comparison.real, views["gradients"]
    return Portrait(
        identical=real.train_pixels.find(images),
        match=matches.best_match(images, edges, real.train.images, real.train_gradients),
        held=matches.best_match(images, edges, comparison.held.images, comparison.held_gradients),
        hashes=nearest_real(view(images, hashes), real.member_hashes),
        neighbors={name: one.neighbors(views[name]) for name, one in comparison.spaces.items()},
    )


def outcomes(
    portrait: Portrait,
    distances: Distances,
    comparison: Comparison,
    *,
    near_correlation: float,
    bias: Outcomes,
) -> Outcomes:
    """Every test of a set. bias: what held-out images give in spaces that know the members."""
    hashed = standing_out(portrait.hashes, comparison.held_hashes, comparison.quantile)
    tests: Outcomes = {
        ("identical", "pixels"): _identical(portrait),
        ("near copies", "aligned pixels"): _near(portrait, comparison, near_correlation),
        ("standing out", "hashes"): hashed,
    }
    for name, space in comparison.spaces.items():
        for test, outcome in space.tests(portrait.neighbors[name], distances[name]).items():
            tests[test, name] = outcome
    return {
        key: statistics.less_bias(one, bias[key]) if key in bias else one
        for key, one in tests.items()
    }


def _identical(portrait: Portrait) -> Outcome:
    """Share of images with the pixels of a training image, which chance does not give."""
    share = float((portrait.identical >= 0).mean())
    return Outcome(share, 0.0, share, None, statistics.TINY if share else 1.0)


def _near(portrait: Portrait, comparison: Comparison, near_correlation: float) -> Outcome:
    """Share of near copies of training images; chance: of held-out ones, as if there were as many.

    A single one is beyond chance, unless there are copies of held-out images, too: those are there
    by chance.
    """
    copied = int((portrait.match.correlation >= near_correlation).sum())
    by_chance = int((portrait.held.correlation >= near_correlation).sum())
    train, held = len(comparison.real.train), len(comparison.held)
    p = statistics.TINY if copied else 1.0
    if by_chance:
        p = statistics.share_p(copied, by_chance, train / (train + held))
    value, chance = copied / len(portrait), by_chance * train / held / len(portrait)
    return Outcome(value, chance, value - chance, None, p)
