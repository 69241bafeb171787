"""Counts of a set's faults: copies, contradicting labels, blank images, balance of the classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import contingency

from ferbench.classes import CLASSES, IMAGE_PX, SPLITS
from ferbench.data_audit.findings import Balance, Faults, Groups, Leak
from ferbench.data_audit.pool import KINDS, Pool

ANY = "any"  # copies of every kind, joined: the images of one photograph


def find(pool: Pool) -> Faults:
    """Count the faults of the pool from its table of copies, its labels and its blank images."""
    identical, blank = pool.groups["identical"], pool.blank
    flat = pool.images[blank].reshape(-1, IMAGE_PX**2)
    return Faults(
        groups={
            **{kind: _groups(pool, pool.groups[kind]) for kind in KINDS if kind != "blank"},
            ANY: _groups(pool, _joined(pool.photographs())),
        },
        leaks=[
            _leak(pool, identical, split, earlier)
            for split in range(len(SPLITS))
            for earlier in range(split)
        ],
        within={
            name: sum(max(int((pool.split[rows] == i).sum()) - 1, 0) for rows in identical)
            for i, name in enumerate(SPLITS)
        },
        balance=_balance(_counts(pool, np.ones(len(pool), bool))),
        blank=_counts(pool, blank),
        constant_blank=int((flat.min(axis=1) == flat.max(axis=1)).sum()),
        blank_groups=_groups(pool, [rows for rows in identical if blank[rows].all()]),
    )


def _groups(pool: Pool, groups: Sequence[np.ndarray]) -> Groups:
    sizes = [len(rows) for rows in groups]
    mixed = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for rows in groups:
        held = np.unique(pool.labels[rows])
        mixed[np.ix_(held, held)] += 1
    np.fill_diagonal(mixed, 0)
    return Groups(
        groups=len(sizes),
        images=sum(sizes),
        redundant=sum(sizes) - len(sizes),
        across=sum(len(set(pool.split[rows])) > 1 for rows in groups),
        conflicting=sum(len(set(pool.labels[rows])) > 1 for rows in groups),
        mixed=mixed,
    )


def _joined(photographs: np.ndarray) -> list[np.ndarray]:
    """Rows of each photograph that has several images."""
    order = np.argsort(photographs, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(photographs[order])) + 1)
    return [rows for rows in parts if len(rows) > 1]


def _leak(pool: Pool, groups: Sequence[np.ndarray], split: int, earlier: int) -> Leak:
    images = other = 0
    for rows in groups:
        known = pool.labels[rows[pool.split[rows] == earlier]]
        mine = pool.labels[rows[pool.split[rows] == split]] if len(known) else known
        images += len(mine)
        other += int((~np.isin(mine, known)).sum())
    return Leak(SPLITS[split], SPLITS[earlier], images, other)


def _counts(pool: Pool, chosen: np.ndarray) -> np.ndarray:
    cells = pool.split[chosen] * len(CLASSES) + pool.labels[chosen]
    return np.bincount(cells, minlength=len(SPLITS) * len(CLASSES)).reshape(len(SPLITS), -1)


def _balance(counts: np.ndarray) -> Balance:
    present = counts[:, counts.sum(axis=0) > 0]
    chi2, p, freedom, _ = contingency.chi2_contingency(present, correction=False)
    several = min(present.shape) > 1  # of one class alone, no split can have another share
    v = contingency.association(present, method="cramer") if several else 0.0
    classes = present.sum(axis=0)
    ratio = float(classes.max() / classes.min())
    return Balance(counts, float(chi2), int(freedom), float(p), float(v), ratio)
