"""Scores of a classifier for each group of images: accuracy, recalls, and gaps between groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import random_table

from ferbench.bias.attributes import UNKNOWN, Attribute
from ferbench.bias.findings import Gap, GroupScores
from ferbench.classes import CLASSES

K = len(CLASSES)


def score(
    attribute: Attribute,
    labels: np.ndarray,
    predicted: np.ndarray,
    *,
    min_count: int,
    rounds: int,
    rng: np.random.Generator,
) -> GroupScores:
    """Scores of the attribute's groups; labels, predicted: [N] int64 of its own images."""
    counts = confusions(attribute.own.groups, labels, predicted, len(attribute.group_names))
    enough = _Enough.of(counts, min_count)
    values = _gaps(counts, enough)
    flat = counts.reshape(-1)
    drawn = rng.multinomial(flat.sum(), flat / flat.sum(), size=rounds)
    replicas = _gaps(drawn.reshape(rounds, *counts.shape), enough)
    chance = _gaps(_dealt(counts, rounds, rng), enough)
    accuracy, largest, odds, *recalls = (
        _gap(*parts) for parts in zip(values.T, replicas.T, chance.T, strict=True)
    )
    return GroupScores(
        attribute, counts, ~enough.group, ~enough.positive, accuracy, tuple(recalls), largest, odds
    )


def confusions(
    groups: np.ndarray, labels: np.ndarray, predicted: np.ndarray, count: int
) -> np.ndarray:
    """[count, 7, 7] int64: images by group, true and predicted class; unknown groups left out."""
    known = groups != UNKNOWN
    flat = (groups[known] * K + labels[known]) * K + predicted[known]
    return np.bincount(flat, minlength=count * K * K).reshape(count, K, K)


@dataclass(frozen=True)
class _Enough:
    """Which rates rest on enough images: group [G]; positive, negative [G, 7] bool."""

    group: np.ndarray
    positive: np.ndarray
    negative: np.ndarray

    @classmethod
    def of(cls, counts: np.ndarray, min_count: int) -> _Enough:
        positive = counts.sum(axis=2)
        total = positive.sum(axis=1)
        negative = total[:, None] - positive
        return cls(total >= min_count, positive >= min_count, negative >= min_count)


def _gaps(counts: np.ndarray, enough: _Enough) -> np.ndarray:
    """[..., 3 + 7] gaps of accuracy, largest recall, equalized odds, each recall; NaN for none.

    counts: [..., G, 7, 7].
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    positive, called = counts.sum(axis=-1), counts.sum(axis=-2)
    total = positive.sum(axis=-1)
    accuracy = _range(hits.sum(axis=-1) / np.maximum(total, 1), enough.group, axis=-1)
    recall = _range(hits / np.maximum(positive, 1), enough.positive, axis=-2)
    false = (called - hits) / np.maximum(total[..., None] - positive, 1)
    alarms = _range(false, enough.negative, axis=-2)
    odds = np.maximum(_largest(recall), _largest(alarms))
    odds = np.where(np.isnan(_largest(recall)), np.nan, odds)
    return np.concatenate([np.stack([accuracy, _largest(recall), odds], axis=-1), recall], axis=-1)


def _range(rates: np.ndarray, enough: np.ndarray, axis: int) -> np.ndarray:
    """Largest minus smallest along the groups' axis, of those with enough; NaN for one or none."""
    high = np.where(enough, rates, -np.inf).max(axis=axis)
    low = np.where(enough, rates, np.inf).min(axis=axis)
    defined = enough.sum(axis=0) >= 2
    return np.subtract(high, low, out=np.full(high.shape, np.nan), where=defined)


def _largest(gaps: np.ndarray) -> np.ndarray:
    """Over the last axis, NaN ignored; NaN where there is nothing else."""
    largest: np.ndarray = np.where(np.isnan(gaps), -np.inf, gaps).max(axis=-1)
    return np.where(np.isinf(largest), np.nan, largest)


def _gap(value: float, replicas: np.ndarray, chance: np.ndarray) -> Gap | None:
    """None for NaN. A gap is never negative, so resampling widens it: that excess is taken off."""
    if np.isnan(value):
        return None
    excess = replicas.mean() - value
    low, high = np.clip(np.quantile(replicas, [0.025, 0.975]) - excess, 0, 1)
    return Gap(float(value), float(low), float(high), float(np.quantile(chance, 0.95)))


def _dealt(counts: np.ndarray, rounds: int, rng: np.random.Generator) -> np.ndarray:
    """[rounds, G, 7, 7] tables as by chance: within each class, groups and predictions unrelated.

    Both margins of every class's table stay as they are.
    """
    tables = np.zeros((rounds, *counts.shape), np.int64)
    for k in range(K):
        table = counts[:, k]
        if table.sum():
            law = random_table(table.sum(axis=1), table.sum(axis=0))
            tables[:, :, k] = law.rvs(size=rounds, random_state=rng)
    return tables
