"""The audit of one set: all tests, all controls, all attacks from the set alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ferbench.classes import CLASSES
from ferbench.privacy import controls, portrait, statistics
from ferbench.privacy.findings import (
    Attack,
    AttackResult,
    Candidates,
    Findings,
    Options,
    Outcome,
    Outcomes,
)
from ferbench.privacy.portrait import Distances
from ferbench.privacy.real import Comparison, Real
from ferbench.privacy.space import ATTACKS
from ferbench.privacy.statistics import Bootstrap

LEAST_OF_CLASS = 20  # members and others of a class that an attack is tried on


def run(
    images: np.ndarray,
    labels: np.ndarray,
    real: Real,
    options: Options,
    *,
    seed: int,
    on_step: Callable[[str], None],
) -> Findings:
    """Audit a set: images [N, 48, 48] uint8 with labels [N] in the order of `CLASSES`.

    on_step gets the name of each step before it begins. The same seed gives the same numbers.
    """
    streams = [np.random.default_rng([seed, k]) for k in range(3)]
    everyone = np.arange(len(real.held))
    comparison = Comparison(real, everyone, quantile=options.quantile, rng=streams[0])
    on_step(f"the set: {len(images):,} images")
    own, distances = portrait.measure(images, comparison)
    size = min(options.control_images, len(images))
    control = controls.run(real, options, images=size, rng=streams[1], on_step=on_step)
    near = options.near_correlation
    outcomes = portrait.outcomes(
        own, distances, comparison, near_correlation=near, bias=control.bias
    )
    on_step("intervals")
    spaces = comparison.spaces
    return Findings(
        labels=np.array(labels),
        train=real.train,
        candidates=Candidates(real.members.labels, comparison.held.labels),
        dropped=real.dropped,
        portrait=own,
        outcomes=outcomes,
        c_t={name: one.published_c_t(own.neighbors[name]) for name, one in spaces.items()},
        attacks=_attacks(
            distances, comparison, control.bias, Bootstrap(options.bootstrap, streams[2])
        ),
        controls=control,
        options=options,
    )


def _attacks(
    distances: Distances, comparison: Comparison, bias: Outcomes, bootstrap: Bootstrap
) -> list[AttackResult]:
    """Membership inference from the set alone, in every space."""
    labels = Candidates(comparison.real.members.labels, comparison.held.labels)
    return [
        attack_by_class(
            (name, where),
            space.scores(distances[where], calibrated=calibrated),
            labels,
            bootstrap=bootstrap,
            bias=bias.get((name, where)),
        )
        for where, space in comparison.spaces.items()
        for name, calibrated in ATTACKS.items()
    ]


def attack_by_class(
    key: tuple[str, str],
    scores: Candidates,
    labels: Candidates,
    *,
    bootstrap: Bootstrap,
    bias: Outcome | None = None,
) -> AttackResult:
    """An attack by its scores of members and others, larger for members, and by class.

    key: its name and space. bias: what held-out images give in a space that knows the members.
    """
    overall = statistics.attack(scores.members, scores.others, bootstrap=bootstrap)
    classes: list[Attack | None] = []
    for label in range(len(CLASSES)):
        members = scores.members[labels.members == label]
        others = scores.others[labels.others == label]
        enough = min(len(members), len(others)) >= LEAST_OF_CLASS
        classes.append(statistics.attack(members, others, bootstrap=bootstrap) if enough else None)
    tried = [_p(one, bias) for one in classes if one is not None]
    return AttackResult(
        *key,
        overall,
        tuple(classes),
        _p(overall, bias),
        min([1.0, *(len(tried) * p for p in tried)]),
        statistics.roc(scores.members, scores.others),
        decides=bias is None,
    )


def _p(one: Attack, bias: Outcome | None) -> float:
    """p-value of the AUC, less what the space gives for held-out images."""
    error = statistics.auc_error(one.members, one.others)
    if bias is None:
        return one.p_auc
    assert bias.error is not None
    excess = one.auc - 0.5 - max(bias.excess, 0.0)
    return statistics.upper_p(excess, float(np.hypot(error, bias.error)))
