"""How many images of each class, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ferbench.classes import CLASSES
from ferbench.errors import UserError, nearest

EXPECTED = "expected CLASS:NUMBER with commas between, such as angry:100,happy:20"


def class_counts(labels: np.ndarray) -> np.ndarray:
    """[7] int64: how many of the labels [N] int64 there are of each of `CLASSES`."""
    return np.bincount(labels, minlength=len(CLASSES))


def by_class(labels: np.ndarray, classes: Sequence[str] = CLASSES) -> dict[str, int]:
    """How many labels [N] int64 there are of each class, by name, in the order of `classes`.

    Raises ValueError for a label outside them.
    """
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    return dict(zip(classes, counts, strict=True))


def equal(n: int, classes: Sequence[str]) -> dict[str, int]:
    """n images over all classes alike; where it does not divide, the first get one more.

    Raises UserError if a class would have none.
    """
    if n < len(classes):
        raise UserError(f"n={n}: below the number of classes; expected at least {len(classes)}")
    each, more = divmod(n, len(classes))
    return {name: each + (i < more) for i, name in enumerate(classes)}


def natural(n: int, shares: Mapping[str, int]) -> dict[str, int]:
    """n images in the proportions of `shares`, by largest remainders.

    Raises UserError if a class that is there would have none.
    """
    if n < len(shares):
        raise UserError(f"n={n}: below the number of classes; expected at least {len(shares)}")
    total = sum(shares.values())
    exact = {name: n * share / total for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: n - sum(counts.values())]:
        counts[name] += 1
    lost = [name for name in shares if shares[name] and not counts[name]]
    if lost:
        raise UserError(f"n={n}: balance=natural leaves no image of {lost[0]}; expected more")
    return counts


def given(text: str, classes: Sequence[str]) -> dict[str, int]:
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
