"""An audit for people and machines: the report's tables, the terminal, metrics.json, the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.classes import CLASSES
from ferbench.privacy import tables, verdict
from ferbench.privacy.audit import AttackResult, Audit
from ferbench.privacy.networks import ASK_NETWORKS
from ferbench.privacy.plants import VARIANTS
from ferbench.privacy.portrait import Outcomes
from ferbench.report import Block, Code, Figure, Heading, Table, Text
from ferbench.report.audit import summary as in_terminal

SET_ATTACK = ("membership", "gradients")  # the one in the common table
MEANINGS = {
    "identical": "share of images with the pixels of a training image, or mirrored",
    "near copies": "share of images that are a training image shifted, mirrored or cropped closer",
    "standing out": "share of images with one training image much nearer than the second nearest",
    "closer to training": "share of images nearer to training images than to as many held-out ones",
    "nearest is training": "share of images whose nearest real image is a training image",
    "authenticity": "share of images farther from a training image than that is from the next one",
    "data copying": "C_T, below 0 where the set is nearer to training images than held-out ones",
    "membership": "AUC of the distance to the nearest image of the set (GAN-Leaks)",
    "calibrated membership": "the same over the distance to the nearest other real image",
    "discriminator": "AUC of the discriminator's score",
    "inversion": "AUC of the error with which the generator gives an image back",
}


# --- terminal and report -------------------------------------------------------------------------


def summary(audit: Audit) -> str:
    """The tests and the verdict for the terminal."""
    shown = {
        "Tests": tables.tests_table(audit),
        "Membership inference": tables.attacks_table(audit),
    }
    lines = [f"verdict: {verdict.level(audit)}", *verdict.sentences(audit)]
    return in_terminal(shown, lines=lines)


def blocks(
    audit: Audit,
    facts: Mapping[str, str],
    notes: Sequence[str],
    pictures: Sequence[tuple[Path, str]],
    command: str,
) -> list[Block]:
    """The report. facts: what was compared, by name; notes: what else the reader must know."""
    meanings = [[name, text] for name, text in MEANINGS.items()]
    return [
        Text(f"*Verdict: {verdict.level(audit)}.*"),
        *(Text(sentence) for sentence in verdict.sentences(audit)),
        *(Text(note) for note in notes),
        Heading("What was compared"),
        Table(["", ""], [[name, value] for name, value in facts.items()], leading=2),
        Heading("Tests"),
        tables.tests_table(audit),
        Heading("Membership inference"),
        tables.attacks_table(audit),
        tables.classes_table(audit),
        tables.rates_table(audit),
        Heading("Nearest training images"),
        tables.pairs_table(audit),
        tables.distances_table(audit),
        tables.copying_table(audit),
        Heading("Pictures"),
        *(Figure(path, caption) for path, caption in pictures),
        Heading("How it was done"),
        Table(["test", "its value"], meanings, leading=2),
        *(Text(text) for text in METHOD),
        Heading("To do it again"),
        Code(command),
        Text(
            "`docs/metrics.md` defines the columns of the table; all numbers stand in "
            "`metrics.json`."
        ),
    ]


METHOD = (
    "Real images with a near copy anywhere among the real ones (Training, PublicTest and "
    "PrivateTest) are left out of every test but the search for copies, so that a held-out image "
    "says nothing about a training image. What is left is exchangeable: without memorization a set "
    "is as near to the ones as to the others. Photographs that are in Training twice are the "
    "likeliest to be memorized; only the search for copies covers them. Mirror images count as the "
    "image.",
    "Spaces: pixels, 16 x 16 averages less their mean; gradients, a histogram of oriented "
    "gradients (Dalal and Triggs 2005); hashes, a 63-bit perceptual hash (Zauner 2010); judge, "
    "features of a classifier, of length 1. The judge knows the training images itself, so what "
    "it gives for half of the held-out images is taken off its values for the set.",
    "Sources: GAN-Leaks (Chen et al. 2020), LOGAN (Hayes et al. 2019), C_T (Meehan et al. 2020), "
    "authenticity (Alaa et al. 2022), distance to the closest record with a holdout (Platzer and "
    "Reutterer 2021), the true positive rate at few false positives (Carlini et al. 2022).",
    "The negative control takes half of the held-out images for the set and looks at them from the "
    "other half. The positive controls replace a part of it by copies of training images: plain, "
    "mirrored, cropped (a random 44 x 44 window enlarged), faded (blurred to 24 x 24, other "
    "contrast and brightness, noise). An audit of more images than these finds smaller shares.",
)


# --- machines ------------------------------------------------------------------------------------


def as_json(audit: Audit) -> dict[str, Any]:
    """Every number, for metrics.json."""
    match, control = audit.portrait.match, audit.controls
    copies = [
        {
            "image": int(i),
            "training_image": str(audit.real.train.names[match.row[i]]),
            "correlation": float(match.correlation[i]),
            "mirrored": bool(match.mirrored[i]),
            "enlarged": float(match.zoom[i]),
            "identical": bool(audit.portrait.identical[i] >= 0),
        }
        for i in np.flatnonzero(audit.near)
    ]
    return {
        "verdict": verdict.level(audit),
        "flags": [list(key) for key in audit.flags],
        "images": audit.images,
        "members": audit.members,
        "held_out": audit.held,
        "left_out": dict(audit.dropped),
        "copies": copies,
        "tests": _outcomes(audit.outcomes),
        "c_t": dict(audit.copying),
        "attacks": [_attack(one) for one in audit.attacks],
        "controls": {
            "images": control.images,
            "negative": _outcomes(control.negative),
            "void": [list(key) for key in audit.unsound],
            "bias": _outcomes(control.bias),
            "planted": list(control.levels),
            "positive": {
                name: [_outcomes(one) for one in found] for name, found in control.positive.items()
            },
            "detection_limit_percent": {name: audit.detection_limit(name) for name in VARIANTS},
        },
        "options": asdict(audit.options),
    }


def _outcomes(found: Outcomes) -> list[dict[str, Any]]:
    return [{"test": test, "space": space} | asdict(one) for (test, space), one in found.items()]


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


def row_columns(audit: Audit) -> dict[str, Any]:
    """The columns of the common table that hold what was found."""
    attacks = {(one.name, one.space): one for one in audit.attacks}
    main = attacks[SET_ATTACK]
    disgust = main.classes[CLASSES.index("disgust")]
    own = {name: one for (name, _), one in attacks.items() if name in ASK_NETWORKS}
    limits = [audit.detection_limit(variant) for variant in VARIANTS]
    known = [limit for limit in limits if limit is not None]
    return {
        "set_images": audit.images,
        "members": audit.members,
        "held_out": audit.held,
        "verdict": verdict.level(audit),
        "flags": len(audit.flags),
        "void_tests": len(audit.unsound),
        "identical_copies": audit.identical,
        "near_copies": int(audit.near.sum()),
        "closer_to_training": audit.outcomes["closer to training", "gradients"].value,
        "authenticity": audit.outcomes["authenticity", "gradients"].value,
        "ct_statistic": audit.copying["gradients"],
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
