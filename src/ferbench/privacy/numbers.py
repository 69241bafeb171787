"""An audit for machines: metrics.json, and the columns of its row."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from ferbench.classes import CLASSES
from ferbench.privacy import verdict
from ferbench.privacy.findings import NETWORK_ATTACKS, AttackResult, Findings, Outcomes

SET_ATTACK = ("membership", "gradients")  # the one in the common table


def as_json(findings: Findings) -> dict[str, Any]:
    """Every number, for metrics.json."""
    match, control = findings.portrait.match, findings.controls
    copies = [
        {
            "image": int(i),
            "training_image": str(findings.train.names[match.row[i]]),
            "correlation": float(match.correlation[i]),
            "mirrored": bool(match.mirrored[i]),
            "enlarged": float(match.zoom[i]),
            "identical": bool(findings.portrait.identical[i] >= 0),
        }
        for i in np.flatnonzero(findings.near)
    ]
    return {
        "verdict": verdict.level(findings),
        "flags": [list(key) for key in findings.flags],
        "images": findings.images,
        "members": findings.members,
        "held_out": findings.held,
        "left_out": dict(findings.dropped),
        "copies": copies,
        "tests": _outcomes(findings.outcomes),
        "c_t": dict(findings.c_t),
        "attacks": [_attack(one) for one in findings.attacks],
        "controls": {
            "images": control.images,
            "negative": _outcomes(control.negative),
            "void": [list(key) for key in findings.unsound],
            "bias": _outcomes(control.bias),
            "planted": list(control.levels),
            "positive": {
                variant: [_outcomes(one) for one in levels]
                for variant, levels in control.positive.items()
            },
            "detection_limit_percent": {
                variant: findings.detection_limit(variant) for variant in control.positive
            },
        },
        "options": asdict(findings.options),
    }


def _outcomes(outcomes: Outcomes) -> list[dict[str, Any]]:
    items = outcomes.items()
    return [{"test": test, "space": space} | asdict(one) for (test, space), one in items]


def _attack(one: AttackResult) -> dict[str, Any]:
    classes = {
        name: None if attack is None else asdict(attack)
        for name, attack in zip(CLASSES, one.classes, strict=True)
    }
    return {
        "attack": one.name,
        "space": one.space,
        "p": one.p,
        "class_p": one.class_p,
        "overall": asdict(one.overall),
        "classes": classes,
    }


def row_columns(findings: Findings) -> dict[str, Any]:
    """The columns of the table that hold what was measured."""
    attacks = {one.key: one for one in findings.attacks}
    main = attacks[SET_ATTACK]
    disgust = main.classes[CLASSES.index("disgust")]
    own = {name: one for (name, _), one in attacks.items() if name in NETWORK_ATTACKS}
    limits = [findings.detection_limit(variant) for variant in findings.controls.positive]
    known = [limit for limit in limits if limit is not None]
    return {
        "set_images": findings.images,
        "members": findings.members,
        "held_out": findings.held,
        "verdict": verdict.level(findings),
        "flags": len(findings.flags),
        "void_tests": len(findings.unsound),
        "identical_copies": findings.identical,
        "near_copies": int(findings.near.sum()),
        "closer_to_training": findings.outcomes["closer to training", "gradients"].value,
        "authenticity": findings.outcomes["authenticity", "gradients"].value,
        "ct_statistic": findings.c_t["gradients"],
        "membership_auc": main.overall.auc,
        "membership_auc_low": _end(main.overall.auc_interval, 0),
        "membership_auc_high": _end(main.overall.auc_interval, 1),
        "membership_tpr_at_1fpr": main.overall.tpr,
        "membership_auc_disgust": None if disgust is None else disgust.auc,
        **{f"{name}_auc": one.overall.auc for name, one in own.items()},
        **{f"{name}_tpr_at_1fpr": one.overall.tpr for name, one in own.items()},
        "detection_limit": max(known) / 100 if len(known) == len(limits) else None,
    }


def _end(interval: tuple[float, float] | None, side: int) -> float | None:
    return None if interval is None else interval[side]
