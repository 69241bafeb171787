"""How many images of each class, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ferbench.classes import CLASSES
from ferbench.errors import UserError, nearest

EXPECTED = "expected CLASS:NUMBER with commas between, such as angry:100,happy:20"


def class_counts(labels: np.ndarray, classes: Sequence[str] = CLASSES) -> np.ndarray:
    """[K] int64: how many labels [N] int64 there are of each class."""
    return np.bincount(labels, minlength=len(classes))


def counts_by_name(labels: np.ndarray, classes: Sequence[str] = CLASSES) -> dict[str, int]:
    """As `class_counts`, by name in the order of `classes`; ValueError for a label outside them."""
    return dict(zip(classes, class_counts(labels, classes).tolist(), strict=True))


def equal(n: int, classes: Sequence[str]) -> dict[str, int]:
    """n images over all classes alike; where it does not divide, the first get one more.

    Raises UserError if a class would have none.
    """
    if n < len(classes):
        raise UserError(f"n={n}: below the number of classes; expected at least {len(classes)}")
    counts = apportion(n, np.ones(len(classes), np.int64))
    return dict(zip(classes, counts.tolist(), strict=True))


def natural(n: int, shares: Mapping[str, int]) -> dict[str, int]:
    """n images in the proportions of `shares`, by largest remainders.

    Raises UserError if a class that is there would have none.
    """
    if n < len(shares):
        raise UserError(f"n={n}: below the number of classes; expected at least {len(shares)}")
    counts = dict(zip(shares, apportion(n, np.array([*shares.values()])).tolist(), strict=True))
    lost = [name for name in shares if shares[name] and not counts[name]]
    if lost:
        raise UserError(f"n={n}: balance=natural leaves no image of {lost[0]}; expected more")
    return counts


def apportion(total: int, weights: np.ndarray) -> np.ndarray:
    """[K] int64 of sum `total`, in proportion to `weights` [K] int64 by largest remainders.

    What is left over goes to the first of equal remainders.
    """
    counts, remainders = np.divmod(total * weights, weights.sum())
    left = total - int(counts.sum())
    counts[np.argsort(-remainders, kind="stable")[:left]] += 1
    return counts


def from_text(text: str, classes: Sequence[str]) -> dict[str, int]:
    """The numbers that a text such as `angry:100,happy:20` gives; 0 for the other classes.

    Raises UserError for an unknown class, one named twice, or what is no number.
    """
    counts = dict.fromkeys(classes, 0)
    named: set[str] = set()
    for part in text.strip("[]{} ").split(","):
        name, _, number = (word.strip() for word in part.partition(":"))
        if name not in counts:
            raise UserError(f"counts={text}: no class {name!r}; {nearest(name, classes)}")
        if not number.isdecimal() or name in named:
            raise UserError(f"counts={text}: {part.strip()!r}; {EXPECTED}")
        named.add(name)
        counts[name] = int(number)
    if not any(counts.values()):
        raise UserError(f"counts={text}: no image at all; {EXPECTED}")
    return counts


def interleaved(counts: Sequence[int]) -> np.ndarray:
    """[N] int64 labels with counts[k] of class k, spread so that every prefix has their shares.

    Image j of class k stands at (j + 1/2) / counts[k] of the way; with equal counts label i is
    i mod K.
    """
    places = [(np.arange(count) + 0.5) / count for count in counts if count]
    labels = np.repeat(np.arange(len(counts)), counts)
    return labels[np.argsort(np.concatenate(places), kind="stable")].astype(np.int64)
