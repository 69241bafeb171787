"""All that is measured of one set of images: its copies, and its distances in every space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ferbench.privacy import statistics
from ferbench.privacy.real import Real, Seat
from ferbench.privacy.roles import Attacked, Seen, smallest
from ferbench.privacy.space import Found, standing_out
from ferbench.similarity import matches
from ferbench.similarity.matches import Match
from ferbench.similarity.views import Nearest, Views, hashes, nearest_real, view

BLOCK = 8192  # images of a set at a time
Outcomes = dict[tuple[str, str], Found]  # by test and space


@dataclass(frozen=True)
class Portrait:
    """What lies next to each of the N images of a set.

    identical: [N] int64, row of the Training image with these pixels, or -1. match: the Training
    image that correlates most; held: the held-out one. hashes: nearest members by perceptual hash.
    seen: by space.
    """

    identical: np.ndarray
    match: Match
    held: Match
    hashes: Nearest
    seen: Mapping[str, Seen]

    def __len__(self) -> int:
        return len(self.identical)

    def take(self, rows: np.ndarray | slice) -> Portrait:
        """The rows of an index array, a mask or a slice."""
        seen = {name: part.take(rows) for name, part in self.seen.items()}
        match, held = self.match.take(rows), self.held.take(rows)
        return Portrait(self.identical[rows], match, held, self.hashes.take(rows), seen)

    def then(self, other: Portrait) -> Portrait:
        """These images, then the other ones."""
        return Portrait(
            np.concatenate([self.identical, other.identical]),
            self.match.then(other.match),
            self.held.then(other.held),
            self.hashes.then(other.hashes),
            {name: part.then(other.seen[name]) for name, part in self.seen.items()},
        )


Attackeds = dict[str, Attacked]  # by space


def study(
    images: np.ndarray, real: Real, seat: Seat, *, views: Mapping[str, Views] | None = None
) -> tuple[Portrait, Attackeds]:
    """Look at a set [N, 48, 48] uint8, a block at a time, from one seat (see `real.Seat`).

    views: of the images in every space, where they are known.
    """
    portrait: Portrait | None = None
    attacked: dict[str, list[Attacked]] = {name: [] for name in seat.spaces}
    for start in range(0, len(images), BLOCK):
        rows = slice(start, start + BLOCK)
        block = np.ascontiguousarray(images[rows])
        seen = {
            name: view(block, encode) if views is None else views[name].take(rows)
            for name, encode in real.encoders.items()
        }
        part = _portrait(block, seen, real, seat)
        portrait = part if portrait is None else portrait.then(part)
        for name, space in seat.spaces.items():
            attacked[name].append(space.attacked(seen[name]))
    assert portrait is not None, "an empty set"
    return portrait, {name: smallest(parts) for name, parts in attacked.items()}


def _portrait(images: np.ndarray, views: Mapping[str, Views], real: Real, seat: Seat) -> Portrait:
    near = views["gradients"]
    return Portrait(
        identical=real.train_pixels.find(images),
        match=matches.best_match(images, near, real.train.images, real.train_gradients),
        held=matches.best_match(images, near, seat.held_images, seat.held_gradients),
        hashes=nearest_real(view(images, hashes), real.member_hashes),
        seen={name: space.look(views[name]) for name, space in seat.spaces.items()},
    )


def outcomes(
    portrait: Portrait,
    attacked: Attackeds,
    real: Real,
    seat: Seat,
    *,
    near_correlation: float,
    bias: Outcomes,
) -> Outcomes:
    """Every test of a set. bias: what held-out images give in spaces that know the members."""
    found: Outcomes = {
        ("identical", "pixels"): _identical(portrait),
        ("near copies", "aligned pixels"): _near(portrait, real, seat, near_correlation),
        ("standing out", "hashes"): standing_out(portrait.hashes, seat.held_hashes, seat.quantile),
    }
    for name, space in seat.spaces.items():
        for test, outcome in space.tests(portrait.seen[name], attacked[name]).items():
            found[test, name] = outcome
    return {key: one.less(bias[key]) if key in bias else one for key, one in found.items()}


def _identical(portrait: Portrait) -> Found:
    """Share of images with the pixels of a training image, which chance does not give."""
    share = float((portrait.identical >= 0).mean())
    return Found(share, 0.0, share, None, statistics.TINY if share else 1.0)


def _near(portrait: Portrait, real: Real, seat: Seat, near_correlation: float) -> Found:
    """Share of near copies of training images; chance: of held-out ones, as if there were as many.

    One is a finding unless there are copies of held-out images, too: those are there by chance.
    """
    copied = int((portrait.match.correlation >= near_correlation).sum())
    by_chance = int((portrait.held.correlation >= near_correlation).sum())
    train, held = len(real.train.images), len(seat.held_images)
    p = statistics.TINY if copied else 1.0
    if by_chance:
        p = statistics.share_p(copied, by_chance, train / (train + held))
    value, chance = copied / len(portrait), by_chance * train / held / len(portrait)
    return Found(value, chance, value - chance, None, p)
