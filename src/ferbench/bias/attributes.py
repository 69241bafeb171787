"""Attributes of two sides, the examined images and the real ones, cut into the same groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

BINS = 10  # of the histograms of numbers: deciles of the real images
UNKNOWN = -1  # in the place of a group


@dataclass(frozen=True)
class Column:
    """One attribute of N images.

    numbers: [N] float64, NaN where not known; None where the attribute is a word. groups, bins:
    [N] int64, `UNKNOWN` where not known; bins are the finer ones, of the histograms.
    """

    numbers: np.ndarray | None
    groups: np.ndarray
    bins: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """[N] bool: the images that have a value."""
        known: np.ndarray = self.groups != UNKNOWN
        return known


@dataclass(frozen=True)
class Attribute:
    """One attribute of the examined images (own) and of the real ones.

    group_names: of the groups. bin_count: of the histograms. given: whether it comes from a file.
    real: None where nobody knows it of the real images.
    """

    name: str
    group_names: tuple[str, ...]
    bin_count: int
    given: bool
    own: Column
    real: Column | None

    @property
    def numeric(self) -> bool:
        """Whether it is a number; else a word."""
        return self.own.numbers is not None


def of_numbers(
    name: str, own: np.ndarray, real: np.ndarray | None, *, groups: int, given: bool = False
) -> Attribute:
    """An attribute with values [N], [M] float64, NaN where not known; some of each are known.

    Groups and bins are quantiles of the real images, or of the own ones if nobody knows it of
    those. Values that many images share may leave fewer of them.
    """
    basis = own if real is None else real
    edges, fine = _edges(basis, groups), _edges(basis, BINS)
    sides = [
        None if side is None else Column(side, _cut(side, edges), _cut(side, fine))
        for side in (own, real)
    ]
    assert sides[0] is not None
    return Attribute(name, _ranges(edges), len(fine) + 1, given, sides[0], sides[1])


def of_words(name: str, own: Sequence[str], real: Sequence[str] | None) -> Attribute:
    """An attribute of words from a file, "" where not known; each word is a group."""
    names = sorted({word for side in (own, real or ()) for word in side if word})
    place = {word: i for i, word in enumerate(names)} | {"": UNKNOWN}
    sides = []
    for side in (own, real):
        codes = None if side is None else np.array([place[word] for word in side], np.int64)
        sides.append(None if codes is None else Column(None, codes, codes))
    assert sides[0] is not None
    return Attribute(name, tuple(names), len(names), True, sides[0], sides[1])


def table(labels: np.ndarray, places: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """[K, J] int64: images by class and group or bin; those without one are left out."""
    known = places != UNKNOWN
    flat = labels[known] * shape[1] + places[known]
    return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)


def _edges(values: np.ndarray, parts: int) -> np.ndarray:
    """Inner limits of quantile groups; a value on a limit belongs to the group below it."""
    known = values[np.isfinite(values)]
    limits = np.unique(np.quantile(known, np.arange(1, parts) / parts, method="inverted_cdf"))
    inner: np.ndarray = limits[limits < known.max()]
    return inner


def _cut(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    places = np.searchsorted(edges, values, side="left")
    groups: np.ndarray = np.where(np.isfinite(values), places, UNKNOWN).astype(np.int64)
    return groups


def _ranges(edges: np.ndarray) -> tuple[str, ...]:
    """Names of the groups, such as `to 105`, `105 to 131`, `over 131`."""
    texts = [f"{edge:.3g}" for edge in edges]
    if not texts:
        return ("all",)
    inner = [f"{low} to {high}" for low, high in pairwise(texts)]
    return (f"to {texts[0]}", *inner, f"over {texts[-1]}")
