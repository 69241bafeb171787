"""Everything that is measured of bias: from labels, attributes and predictions to findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ferbench.bias import compared, groups
from ferbench.bias.attributes import Attribute
from ferbench.bias.findings import Findings, GroupScores


@dataclass(frozen=True)
class Sample:
    """The examined images.

    labels: [N] int64; predicted: [N] int64, classes that a classifier predicts, None without one.
    blank: how many of them have no computed attributes. synthetic: whether a generator made them.
    is_reference: whether they are the real Training images themselves.
    """

    labels: np.ndarray
    predicted: np.ndarray | None
    blank: int
    synthetic: bool
    is_reference: bool


@dataclass(frozen=True)
class Settings:
    """How it is measured.

    min_count: images of a group, and of a class in it, without which it has no part in a gap.
    rounds: draws behind each interval and each chance level. seed: of all draws.
    """

    min_count: int
    rounds: int
    seed: int


def measure(
    sample: Sample,
    real_labels: np.ndarray,
    attributes: Sequence[Attribute],
    settings: Settings,
) -> Findings:
    """All numbers; real_labels: [M] int64 of the Training images; attributes: of both sides."""
    rng, rounds = np.random.default_rng(settings.seed), settings.rounds
    representation = compared.represent(sample.labels, real_labels, rounds=rounds, rng=rng)
    comparisons = tuple(
        compared.compare(one, sample.labels, real_labels, rounds=rounds, rng=rng)
        for one in attributes
    )
    return Findings(
        images=len(sample.labels),
        blank=sample.blank,
        synthetic=sample.synthetic,
        is_reference=sample.is_reference,
        representation=representation,
        attributes=comparisons,
        groups=_group_scores(sample, attributes, settings, rng),
        min_count=settings.min_count,
    )


def _group_scores(
    sample: Sample, attributes: Sequence[Attribute], settings: Settings, rng: np.random.Generator
) -> tuple[GroupScores, ...]:
    """One an attribute; none without predictions."""
    if sample.predicted is None:
        return ()
    how = {"min_count": settings.min_count, "rounds": settings.rounds}
    return tuple(
        groups.score(one, sample.labels, sample.predicted, rng=rng, **how) for one in attributes
    )
