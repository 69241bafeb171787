"""Whether one classifier is better than another on the same test images, or it is noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.05
ROUNDS = 10_000  # of sign flips and of the bootstrap
FEW_SEEDS = 3  # with fewer, seeds are not tested


@dataclass(frozen=True)
class Difference:
    """Accuracy of one cell minus that of another, averaged over their common seeds.

    value: in [-1, 1]; low, high: its 95 % interval over test images. p_images: two-sided, over test
    images. p_seeds: two-sided, over seeds; None with fewer than three.
    """

    value: float
    low: float
    high: float
    p_images: float
    p_seeds: float | None
    seeds: int


def mcnemar(hit: np.ndarray, other: np.ndarray) -> float:
    """Exact two-sided p of McNemar's test: of the images that one alone gets right, is it half?

    hit, other: [N] bool, right answers to the same images. 1 if the two never differ.
    """
    one, two = int((hit & ~other).sum()), int((other & ~hit).sum())
    if one + two == 0:
        return 1.0
    return float(stats.binomtest(one, one + two, 0.5).pvalue)


def difference(hits: np.ndarray, others: np.ndarray, *, seed: int) -> Difference:
    """Compare two cells on N test images over S seeds.

    hits, others: [S, N] bool, row s of both from the same seed. With one seed the p over images
    is McNemar's; with several it is that of sign flips of each image's mean difference, to which
    McNemar's test is the case of one seed. The interval is a percentile bootstrap over images. The
    p over seeds is that of the paired t-test on the seeds' accuracies.
    """
    assert hits.shape == others.shape, (hits.shape, others.shape)
    gaps = hits.mean(0) - others.mean(0)
    rng = np.random.default_rng(seed)
    low, high = np.percentile(_resampled_means(gaps, rng), [2.5, 97.5])
    p = mcnemar(hits[0], others[0]) if len(hits) == 1 else _sign_flips(gaps, rng)
    return Difference(
        float(gaps.mean()),
        float(low),
        float(high),
        p,
        _over_seeds(hits.mean(1) - others.mean(1)),
        len(hits),
    )


def _resampled_means(gaps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[ROUNDS] means of images drawn anew; images with equal gaps are drawn together."""
    values, counts = np.unique(gaps, return_counts=True)
    drawn = rng.multinomial(len(gaps), counts / len(gaps), size=ROUNDS)
    means: np.ndarray = drawn @ values / len(gaps)
    return means


def _sign_flips(gaps: np.ndarray, rng: np.random.Generator) -> float:
    """Two-sided p of the mean gap under random signs, with the observed one counted (never 0)."""
    sizes, counts = np.unique(np.abs(gaps[gaps != 0]), return_counts=True)
    ups = rng.binomial(counts, 0.5, size=(ROUNDS, len(counts)))
    sums = np.abs((2 * ups - counts) @ sizes)
    reached = int((sums >= abs(gaps.sum()) - 1e-9).sum())
    return (reached + 1) / (ROUNDS + 1)


def _over_seeds(gaps: np.ndarray) -> float | None:
    """p of the paired t-test; 1 or 0 where all seeds have the same gap."""
    if len(gaps) < FEW_SEEDS:
        return None
    if np.ptp(gaps) == 0:
        return 1.0 if gaps[0] == 0 else 0.0
    return float(stats.ttest_1samp(gaps, 0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values adjusted for their number (Holm 1979), in the given order."""
    n, running = len(p_values), 0.0
    adjusted = [0.0] * n
    for rank, i in enumerate(np.argsort(p_values, kind="stable")):
        running = max(running, min(1.0, (n - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted


def verdict(one: Difference, adjusted: float) -> str:
    """better, worse or noise. adjusted: p over images after `holm`.

    With three seeds or more both tests must tell them apart; with fewer, nothing is known of other
    seeds, and the word is marked so.
    """
    seeds_agree = one.p_seeds is None or one.p_seeds < LEVEL
    if adjusted >= LEVEL or not seeds_agree or one.value == 0:
        return "noise"
    word = "better" if one.value > 0 else "worse"
    return word if one.p_seeds is not None else f"{word} (seeds not tested)"


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of the mean over seeds (Student's t); None for a single value."""
    if len(values) < 2:
        return None
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    mean = float(np.mean(values))
    return mean - float(half), mean + float(half)
