"""Which candidates are taken: so many of each class, spread as its real images are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def fill(room: np.ndarray, shares: np.ndarray, wanted: int) -> np.ndarray:
    """[C] int64: `wanted` images over C cells in proportion to their shares, where there is room.

    room: [C] candidates of each cell, wanted at most in all; shares: [C], over 0. A cell without
    enough candidates gives all that it has, and the others share the rest in the same proportions;
    fractions by largest remainders, the first of equals.
    """
    assert 0 <= wanted <= room.sum() and (shares > 0).all()
    exact, open_cells = np.zeros(len(room)), room > 0
    while True:
        rest = wanted - exact[~open_cells].sum()
        level = rest * shares / max(shares[open_cells].sum(), 1e-12)
        over = open_cells & (level >= room)
        if not over.any():
            break
        exact[over] = room[over]
        open_cells &= ~over
    exact[open_cells] = level[open_cells]
    counts = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: wanted - counts.sum()]] += 1
    return counts


def choose(
    candidates: np.ndarray,
    cells: np.ndarray | None,
    real: np.ndarray | None,
    wanted: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """`wanted` of the candidates [n] of one class (or all, if there are fewer), ascending.

    cells: [n], of each candidate; real: [C] real images in each cell, none empty. Inside a cell, or
    everywhere without cells, they are drawn by chance, not by confidence: the images that a judge
    is surest of are the easy ones.
    """
    wanted = min(wanted, len(candidates))
    if cells is None or real is None:
        return np.sort(rng.choice(candidates, wanted, replace=False))
    counts = fill(np.bincount(cells, minlength=len(real)), real, wanted)
    parts = [
        rng.choice(candidates[cells == cell], count, replace=False)
        for cell, count in enumerate(counts)
    ]
    return np.sort(np.concatenate(parts))


def likeness(cells: np.ndarray, real: np.ndarray) -> float | None:
    """1 - the total variation distance of the images' cells [n] from the real ones' [C], in [0, 1].

    1: spread as the real images are. None without images.
    """
    if not len(cells):
        return None
    mine = np.bincount(cells, minlength=len(real)) / len(cells)
    return float(np.minimum(mine, real / real.sum()).sum())


def largest(available: Sequence[int], shares: Sequence[int]) -> int:
    """The largest number whose parts in proportion to `shares` are all available, rounded down."""
    parts = [have / share for have, share in zip(available, shares, strict=True) if share]
    return int(np.floor(min(parts) * sum(shares) + 1e-9))
