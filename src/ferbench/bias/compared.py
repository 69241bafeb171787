"""Examined images against real ones: class shares, distributions of attributes, associations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ferbench.bias import association, attributes
from ferbench.bias.attributes import Attribute, Column
from ferbench.bias.findings import AttributeFindings, Interval, Representation
from ferbench.classes import CLASSES
from ferbench.data.label_counts import class_counts
from ferbench.metrics.histograms import js_distance, total_variation

K = len(CLASSES)
LEAST = 2  # images of a class with a known attribute, without which the class is left out
Z = 1.959964  # of a normal law, two-sided 95 %
DRAWS = 4_000_000  # of images at a time in a bootstrap; bounds its memory


def represent(
    own: np.ndarray, real: np.ndarray, *, rounds: int, rng: np.random.Generator
) -> Representation:
    """Total variation between the classes' shares of labels [N] and of real ones [M].

    floor: what two samples of the real images of these sizes stay below in 95 % of the draws.
    """
    counts, of_real = map(class_counts, (own, real))
    shares = of_real / of_real.sum()
    drawn = [rng.multinomial(total, shares, size=rounds) for total in (len(own), len(real))]
    floor = float(np.quantile(total_variation(drawn[0], drawn[1]), 0.95))
    return Representation(counts, of_real, float(total_variation(counts, of_real)), floor)


def compare(
    attribute: Attribute,
    own_labels: np.ndarray,
    real_labels: np.ndarray,
    *,
    rounds: int,
    rng: np.random.Generator,
) -> AttributeFindings:
    """All numbers of one attribute; labels [N], [M] int64 of its two sides."""
    sides = [(attribute.own, own_labels)]
    if attribute.real is not None:
        sides.append((attribute.real, real_labels))
    classes = _classes(sides)
    drawn = [_association(attribute, *side, classes, rounds, rng) for side in sides]
    associations = [_around(value, replicas) for value, replicas in drawn]
    shape = (K, len(attribute.group_names))
    counts = [attributes.table(labels, side.groups, shape) for side, labels in sides]
    information = [
        association.normalized_information(table[classes]) if len(classes) else 0.0
        for table in counts
    ]
    findings = AttributeFindings(attribute, counts[0], associations[0], information[0])
    if attribute.real is None:
        return findings
    (own, own_replicas), (real, real_replicas) = drawn
    distance, floor = _distance(attribute, sides, classes, rounds, rng)
    return replace(
        findings,
        real_counts=counts[1],
        real=associations[1],
        real_information=information[1],
        amplification=_around(own - real, own_replicas - real_replicas),
        distance=distance,
        floor=floor,
    )


def _classes(sides: Sequence[tuple[Column, np.ndarray]]) -> np.ndarray:
    """The classes with enough images of known attribute on every side."""
    counts = [class_counts(labels[side.known]) for side, labels in sides]
    return np.flatnonzero(np.min(counts, axis=0) >= LEAST)


def _around(value: float, replicas: np.ndarray) -> Interval:
    """The value and 1.96 standard deviations of its bootstrap replicas to both sides."""
    half = Z * float(replicas.std())
    return Interval(value, value - half, value + half)


def _association(
    attribute: Attribute,
    side: Column,
    labels: np.ndarray,
    classes: np.ndarray,
    rounds: int,
    rng: np.random.Generator,
) -> tuple[float, np.ndarray]:
    """The association and [rounds] bootstrap replicas of it, images drawn within their class."""
    if len(classes) < 2:
        return 0.0, np.zeros(rounds)
    if side.numbers is None:
        table = attributes.table(labels, side.groups, (K, len(attribute.group_names)))[classes]
        sizes = table.sum(axis=1)
        rows = [
            rng.multinomial(n, row / n, size=rounds) for n, row in zip(sizes, table, strict=True)
        ]
        replicas = association.balanced_v(np.stack(rows, axis=1))
        return float(association.balanced_v(table)), replicas
    parts = [side.numbers[(labels == k) & side.known] for k in classes]
    counts = np.array([len(part) for part in parts])
    means, variances = (
        np.array([of(part) for part in parts]) for of in (np.mean, lambda p: np.var(p, ddof=1))
    )
    drawn = [_moments(part, rounds, rng) for part in parts]
    replicas = association.eta_squared(
        np.stack([m for m, _ in drawn], axis=1), np.stack([v for _, v in drawn], axis=1), counts
    )
    return float(association.eta_squared(means, variances, counts)), replicas


def _moments(
    values: np.ndarray, rounds: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """[rounds] means and variances (over n - 1) of so many values drawn with replacement."""
    n, middle = len(values), values.mean()
    powers = np.stack([values - middle, (values - middle) ** 2], axis=1)
    at_once, sums = max(1, DRAWS // n), []
    for start in range(0, rounds, at_once):
        some = min(at_once, rounds - start)
        picked = rng.integers(0, n, (some, n)) + n * np.arange(some)[:, None]
        times = np.bincount(picked.ravel(), minlength=some * n).reshape(some, n)
        sums.append(times @ powers)
    first, second = np.concatenate(sums).T / n
    return first + middle, np.maximum(second - first**2, 0) * n / (n - 1)


def _distance(
    attribute: Attribute,
    sides: Sequence[tuple[Column, np.ndarray]],
    classes: np.ndarray,
    rounds: int,
    rng: np.random.Generator,
) -> tuple[float | None, float | None]:
    """Jensen-Shannon distance of the two sides' histograms, and its 95 % quantile by chance.

    The real images of each class are weighted to the class's share of the examined images, so
    that other shares of the classes are no distance. By chance: both sides drawn anew, class by
    class, from the real images' histograms, as many images as there are.
    """
    if not len(classes):
        return None, None
    shape = (K, attribute.bin_count)
    own, real = (attributes.table(labels, side.bins, shape)[classes] for side, labels in sides)
    own_sizes, real_sizes = own.sum(axis=1), real.sum(axis=1)
    weights = (own_sizes / real_sizes)[:, None]
    distance = float(js_distance(own.sum(axis=0), (weights * real).sum(axis=0)))
    ours, theirs = np.zeros((2, rounds, shape[1]))
    for n, m, row in zip(own_sizes, real_sizes, real, strict=True):
        ours += rng.multinomial(n, row / m, size=rounds)
        theirs += rng.multinomial(m, row / m, size=rounds) * (n / m)
    return distance, float(np.quantile(js_distance(ours, theirs), 0.95))
