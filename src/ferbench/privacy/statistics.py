"""The statistics of memorization: numbers and p-values from distances and scores alone.

Every p-value is one-sided, small when the training images are nearer to the synthetic ones, or
better known, than held-out images of the same source are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binom, hypergeom, mannwhitneyu, norm
from sklearn.metrics import roc_curve

from ferbench.privacy.findings import Attack, Outcome

TINY = 1e-300  # p-values are cut here: their logarithm stays finite


# --- counts --------------------------------------------------------------------------------------


def excess_p(beyond: int, images: int, chance: int, chance_images: int) -> float:
    """Probability of `beyond` or more of `images` past a limit that `chance` others are past.

    The limit is the value of the next of the others, so that `chance` of them lie past it. If both
    groups come from one distribution, every order of them is equally likely, and `beyond` or more
    are past it just if at most `chance` of the beyond + chance most extreme images are others
    (negative hypergeometric law).
    """
    total, extreme = images + chance_images, beyond + chance
    return max(float(hypergeom.cdf(chance, total, chance_images, extreme)), TINY)


def share_p(hits: int, chance: int, share: float) -> float:
    """Probability of `hits` or more in hits + chance draws, each a hit with this probability."""
    return max(float(binom.sf(hits - 1, hits + chance, share)), TINY)


# --- attacks -------------------------------------------------------------------------------------


FALSE_POSITIVES = 0.01


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn: so many rounds, from this generator."""

    rounds: int
    rng: np.random.Generator


def attack(
    members: np.ndarray, others: np.ndarray, *, bootstrap: Bootstrap | None = None
) -> Attack:
    """The attack whose scores are these, [M] and [N] floats, larger for a member.

    bootstrap: draws members and others anew; None, or 0 rounds, for no intervals.
    """
    levels, place = np.unique(np.concatenate([members, others]), return_inverse=True)
    inside, outside = place[: len(members)], place[len(members) :]
    counts = [np.bincount(part, minlength=len(levels)) for part in (inside, outside)]
    auc, tpr, hits, passed = _rates(*counts)
    intervals: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None)
    if bootstrap is not None and bootstrap.rounds:
        rng = bootstrap.rng
        redrawn = [_redrawn(inside, outside, len(levels), rng) for _ in range(bootstrap.rounds)]
        low, high = np.quantile(np.array(redrawn), [0.025, 0.975], axis=0)
        intervals = ((float(low[0]), float(high[0])), (float(low[1]), float(high[1])))
    m, n = len(members), len(others)
    p_auc, p_tpr = upper_p(auc - 0.5, auc_error(m, n)), excess_p(hits, m, passed, n)
    return Attack(auc, tpr, m, n, p_auc, p_tpr, *intervals)


def auc_error(members: int, others: int) -> float:
    """Standard deviation of an AUC of 1/2 by chance (Mann and Whitney 1947)."""
    return float(np.sqrt((members + others + 1) / (12 * members * others)))


def upper_p(excess: float, error: float) -> float:
    """Probability of so large an excess over chance, if it is normal with this deviation."""
    if error == 0:
        return 1.0 if excess <= 0 else TINY
    return max(float(norm.sf(excess / error)), TINY)


def less_bias(outcome: Outcome, bias: Outcome) -> Outcome:
    """An outcome less what a set of held-out images alone gives in the same test.

    A judge knows its own training images from others, so distances between its features may favor
    them without any memorization. The bias counts where it is towards memorization, and its own
    error always. An exact test is left as it is.
    """
    if outcome.error is None or bias.error is None:
        return outcome
    excess = outcome.excess - max(bias.excess, 0.0)
    error = float(np.hypot(outcome.error, bias.error))
    return replace(outcome, excess=excess, error=error, p=upper_p(excess, error))


def _rates(members: np.ndarray, others: np.ndarray) -> tuple[float, float, int, int]:
    """AUC, TPR at 1 % FPR, and how many members and others lie beyond its limit.

    members, others: counts at each of the levels of the score, ascending.
    """
    m, n = members.sum(), others.sum()
    below = np.cumsum(others) - others / 2
    from_here = np.cumsum(others[::-1])[::-1]  # others at a level or above
    limit = int(np.count_nonzero(from_here > FALSE_POSITIVES * n))  # the first level that may count
    hits, passed = int(members[limit:].sum()), int(others[limit:].sum())
    return float(members @ below / (m * n)), hits / float(m), hits, passed


def _redrawn(
    inside: np.ndarray, outside: np.ndarray, levels: int, rng: np.random.Generator
) -> tuple[float, float]:
    drawn = [part[rng.integers(0, len(part), len(part))] for part in (inside, outside)]
    return _rates(*(np.bincount(part, minlength=levels) for part in drawn))[:2]


def roc(members: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates at every limit of the score, from 0 to 1."""
    is_member = np.repeat([1, 0], [len(members), len(others)])
    scores = np.concatenate([members, others])
    false, true, _ = roc_curve(is_member, scores, drop_intermediate=False)
    return false, true


# --- nearest neighbors ---------------------------------------------------------------------------


def authentic(first: np.ndarray, row: np.ndarray, own: np.ndarray) -> np.ndarray:
    """[N] bool: which synthetic images are authentic (Alaa et al. 2022, equation 9).

    One is not if the real image nearest to it (`row`, at the distance `first`) is nearer to it than
    to the other real images: own [M], each real image's distance to the nearest other one.
    """
    farther: np.ndarray = first > own[row]
    return farther


def paired_error(difference: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """Standard deviation by chance of the mean of differences [N] between two sets of references.

    one, other: [N], the nearest reference to each image in the two sets. Images that share a
    reference are not independent, so the variance is clustered both ways (Cameron, Gelbach and
    Miller 2011, equation 2.10): it matters where a few real images are near to many synthetic
    ones. The expected difference is 0, so nothing is centered.
    """
    pairs = one.astype(np.int64) * (int(other.max()) + 1) + other
    by_one, by_other, by_both = (_cluster_squares(difference, g) for g in (one, other, pairs))
    spread = max(by_one, by_other, by_one + by_other - by_both)  # the sum may be too small by luck
    return float(np.sqrt(spread) / len(difference))


def clustered_error(difference: np.ndarray, groups: np.ndarray) -> float:
    """Standard deviation by chance of the mean of differences [N] that are alike within groups."""
    return float(np.sqrt(_cluster_squares(difference, groups)) / len(difference))


def design_effect(groups: np.ndarray) -> float:
    """How many times the variance of a mean grows if images [N] of one group count as one."""
    return _cluster_squares(np.ones(len(groups)), groups) / len(groups)


def _cluster_squares(values: np.ndarray, groups: np.ndarray) -> float:
    _, place = np.unique(groups, return_inverse=True)
    return float(np.square(np.bincount(place, weights=values)).sum())


def c_t(
    held: np.ndarray,
    held_cells: np.ndarray,
    synthetic: np.ndarray,
    synthetic_cells: np.ndarray,
    *,
    least: int,
) -> float | None:
    """The data-copying statistic C_T (Meehan, Chaudhuri and Dasgupta 2020, section 4.2).

    held, synthetic: [N], [M] distances to the nearest training image; cells: the region of the
    image space that each lies in. In each region with `least` images of both, the z-score of Mann
    and Whitney's U: about 0 where both are equally near, far below where the synthetic images are
    nearer to the training images than held-out ones are. Returns the mean over the regions, each
    weighted by its held-out images; None if there is no such region.
    """
    weights, scores = [], []
    for cell in np.unique(held_cells):
        p, q = held[held_cells == cell], synthetic[synthetic_cells == cell]
        if min(len(p), len(q)) >= least:
            weights.append(len(p))
            scores.append(mann_whitney_z(q, p))
    return float(np.average(scores, weights=weights)) if weights else None


def mann_whitney_z(values: np.ndarray, others: np.ndarray) -> float:
    """z-score of the number of pairs with value > other, a tie for half (Mann and Whitney 1947)."""
    m, n = len(values), len(others)
    u = mannwhitneyu(values, others, method="asymptotic").statistic
    return float((u - m * n / 2) / np.sqrt(m * n * (m + n + 1) / 12))
