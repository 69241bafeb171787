"""The audit of one set: all tests, all controls, and what they amount to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ferbench.classes import CLASSES
from ferbench.privacy import controls, statistics
from ferbench.privacy import portrait as copying
from ferbench.privacy.controls import Controls
from ferbench.privacy.portrait import Attackeds, Outcomes, Portrait
from ferbench.privacy.real import Real, Seat
from ferbench.privacy.roles import Attacked
from ferbench.privacy.space import ATTACKS, Found
from ferbench.privacy.statistics import Attack

LEAST_OF_CLASS = 20  # members and others of a class that an attack is tried on
RESOLVED = 100  # others of whom one is 1 %


@dataclass(frozen=True)
class Options:
    """How strict the audit is; conf/audit.yaml explains each."""

    near_correlation: float
    quantile: float
    alpha: float
    bootstrap: int
    control_images: int
    percents: tuple[float, ...]


@dataclass(frozen=True)
class AttackResult:
    """An attack on all candidates, and on those of each class (None where there are too few).

    space: where its score comes from. p: of the AUC, less the space's bias; class_p: the smallest
    of the classes', times their number (Bonferroni). curve: false and true positive rates.
    decides: whether the TPR counts; a space that knows the members favors some of them.
    """

    name: str
    space: str
    overall: Attack
    classes: tuple[Attack | None, ...]
    p: float
    class_p: float
    curve: tuple[np.ndarray, np.ndarray]
    decides: bool = True

    def flagged(self, alpha: float) -> bool:
        """Whether members are told from others, all together or in one class."""
        tpr = self.overall.p_tpr < alpha and self.decides
        return min(self.p, self.class_p) < alpha or tpr


@dataclass(frozen=True)
class Audit:
    """What was found of a set.

    portrait: of its images; outcomes: of the tests; copying: C_T as published by space; attacks:
    from the set alone, then those that were added. dropped: images left out of each split because
    they have a near copy among the real ones.
    """

    images: int
    labels: np.ndarray
    members: int
    held: int
    dropped: Mapping[str, int]
    portrait: Portrait
    outcomes: Outcomes
    copying: Mapping[str, float | None]
    attacks: Sequence[AttackResult]
    controls: Controls
    options: Options
    real: Real = field(repr=False)
    seat: Seat = field(repr=False)

    @property
    def unsound(self) -> list[tuple[str, str]]:
        """Tests that the negative control failed: they do not count."""
        return self.controls.unsound(self.options.alpha)

    @property
    def flags(self) -> list[tuple[str, str]]:
        """Tests (with their space) that the set did not pass."""
        alpha, unsound = self.options.alpha, self.unsound
        tests = [k for k, one in self.outcomes.items() if one.p < alpha and k not in unsound]
        attacks = [
            (one.name, one.space)
            for one in self.attacks
            if one.flagged(alpha) and (one.name, one.space) not in [*tests, *unsound]
        ]
        return tests + attacks

    @property
    def identical(self) -> int:
        """Images with the pixels of a training image, or of its mirror image."""
        return int((self.portrait.identical >= 0).sum())

    @property
    def near(self) -> np.ndarray:
        """[N] bool: the near copies of training images, the identical ones among them."""
        correlated = self.portrait.match.correlation >= self.options.near_correlation
        found: np.ndarray = correlated | (self.portrait.identical >= 0)
        return found

    def detection_limit(self, variant: str) -> float | None:
        """Smallest planted share in percent from which on the control sets are flagged."""
        count = self.controls.limit(variant, self.options.alpha)
        return None if count is None else 100 * count / self.controls.images


def run(
    images: np.ndarray,
    labels: np.ndarray,
    real: Real,
    options: Options,
    *,
    seed: int,
    on_step: Callable[[str], None],
) -> Audit:
    """Audit a set: images [N, 48, 48] uint8 with labels [N] in the order of `CLASSES`.

    on_step is told what is done next. The same seed gives the same numbers.
    """
    streams = [np.random.default_rng([seed, k]) for k in range(3)]
    seat = Seat(real, np.arange(len(real.held)), quantile=options.quantile, rng=streams[0])
    on_step(f"the set: {len(images):,} images")
    portrait, attacked = copying.study(images, real, seat)
    control = controls.run(
        real,
        images=min(options.control_images, len(images)),
        percents=options.percents,
        quantile=options.quantile,
        near_correlation=options.near_correlation,
        rng=streams[1],
        on_step=on_step,
    )
    outcomes = copying.outcomes(
        portrait, attacked, real, seat, near_correlation=options.near_correlation, bias=control.bias
    )
    on_step("intervals")
    return Audit(
        len(images),
        np.array(labels),
        len(real.members),
        len(real.held),
        real.dropped,
        portrait,
        outcomes,
        {name: space.published_c_t(portrait.seen[name]) for name, space in seat.spaces.items()},
        _set_attacks(attacked, real, seat, control.bias, options, streams[2]),
        control,
        options,
        real,
        seat,
    )


def _set_attacks(
    attacked: Attackeds,
    real: Real,
    seat: Seat,
    bias: Outcomes,
    options: Options,
    rng: np.random.Generator,
) -> list[AttackResult]:
    """Membership inference from the set alone, in every space."""
    kinds = Attacked(real.members.labels, seat.held_labels)
    return [
        attack_by_class(
            name,
            where,
            space.scores(attacked[where], calibrated=calibrated),
            kinds,
            rounds=options.bootstrap,
            rng=rng,
            bias=bias,
        )
        for where, space in seat.spaces.items()
        for name, calibrated in ATTACKS.items()
    ]


def attack_by_class(
    name: str,
    space: str,
    scores: Attacked,
    labels: Attacked,
    *,
    rounds: int,
    rng: np.random.Generator,
    bias: Outcomes,
) -> AttackResult:
    """An attack by its scores of members and others, larger for members, and by class."""
    overall = statistics.attack(scores.members, scores.others, rounds=rounds, rng=rng)
    classes: list[Attack | None] = []
    for label in range(len(CLASSES)):
        members = scores.members[labels.members == label]
        others = scores.others[labels.others == label]
        enough = min(len(members), len(others)) >= LEAST_OF_CLASS
        classes.append(
            statistics.attack(members, others, rounds=rounds, rng=rng) if enough else None
        )
    known = bias.get((name, space))
    tried = [_p(one, known) for one in classes if one is not None]
    return AttackResult(
        name,
        space,
        overall,
        tuple(classes),
        _p(overall, known),
        min([1.0, *(len(tried) * p for p in tried)]),
        statistics.roc(scores.members, scores.others),
        decides=known is None,
    )


def _p(one: Attack, bias: Found | None) -> float:
    """p-value of the AUC, less what the space gives for held-out images."""
    error = statistics.auc_error(one.members, one.others)
    if bias is None:
        return one.p_auc
    assert bias.error is not None
    excess = one.auc - 0.5 - max(bias.excess, 0.0)
    return statistics.upper_p(excess, float(np.hypot(error, bias.error)))
