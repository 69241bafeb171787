"""What the numbers of a set amount to, in three sentences, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ferbench.classes import CLASSES
from ferbench.fidelity.findings import Findings

FAR = 3.0  # times the distance of held-out real faces, from which a set counts as far from them
VARIED = 0.7  # of the coverage of held-out real faces, below which a set counts as less varied
CLEAR = 0.9  # of their class accuracy, below which its classes count as unclear
DEAD_RECALL, DEAD_DIVERSITY = 0.1, 0.2  # of a class: below one of them it counts as dead


def sentences(findings: Findings) -> list[str]:
    """The verdict: a sentence each on nearness, variety and classes."""
    return [_nearness(findings), _variety(findings), _recognition(findings)]


def advice(findings: Findings) -> list[tuple[str, str]]:
    """(finding, what to do about it), the gravest first."""
    return [
        *_of_dead(findings),
        *_of_classes(findings),
        *_of_variety(findings),
        *_of_nearness(findings),
    ]


# --- shares of what real faces reach -------------------------------------------------------------


def _distance_ratio(findings: Findings) -> float:
    floor = findings.floor.comparison.overall.fid
    return findings.matched.comparison.overall.fid / max(floor, 1e-9)


def _coverage_share(findings: Findings) -> float:
    floor = findings.floor.comparison.overall.coverage
    return findings.matched.comparison.overall.coverage / max(floor, 1e-9)


def _class_share(findings: Findings) -> float:
    """1 without a judge."""
    if not findings.has_judge:
        return 1.0
    return findings.whole.gate_accuracy / max(findings.floor.gate_accuracy, 1e-9)


def dead_classes(findings: Findings) -> list[str]:
    """Classes without variety, or that the judge hardly ever recognizes, unlike real ones."""
    diversity = findings.relative_diversity(findings.whole)
    dead = diversity < DEAD_DIVERSITY
    if findings.has_judge:
        own, real = findings.whole.gate_recall, findings.floor.gate_recall
        dead = dead | ((own < DEAD_RECALL) & (real >= DEAD_RECALL))
    return [name for name, is_dead in zip(CLASSES, dead, strict=True) if is_dead]


# --- sentences -----------------------------------------------------------------------------------


def level(findings: Findings) -> str:
    """What is wrong with the set, in a few words, dead classes first."""
    dead = dead_classes(findings)
    found = [f"dead: {', '.join(dead)}"] if dead else []
    found += ["unclear classes"] * (_class_share(findings) < CLEAR)
    found += ["less varied than real faces"] * (_coverage_share(findings) < VARIED)
    found += ["far from the real faces"] * (_distance_ratio(findings) >= FAR)
    return "; ".join(found) or "close to the real faces in all that is measured here"


def _nearness(findings: Findings) -> str:
    own, floor = (side.comparison.overall for side in (findings.matched, findings.floor))
    return (
        f"Its distance from the real faces (FID, with as many images as the held-out ones) is "
        f"{own.fid:.3g}; held-out real faces have {floor.fid:.3g}, so it is "
        f"{_distance_ratio(findings):.3g} times as far."
    )


def _variety(findings: Findings) -> str:
    own, floor = (side.comparison.overall for side in (findings.matched, findings.floor))
    spread = findings.relative_diversity(findings.whole)
    least = int(np.argmin(spread))
    return (
        f"It reaches {100 * own.coverage:.0f} % of the real faces' neighborhoods (coverage; "
        f"held-out real faces {100 * floor.coverage:.0f} %), and its least varied class, "
        f"{CLASSES[least]}, has {100 * spread[least]:.0f} % of the variety of real ones."
    )


def _recognition(findings: Findings) -> str:
    if not findings.has_judge:
        return "No judge looked at its classes."
    recall, real = findings.whole.gate_recall, findings.floor.gate_recall
    worst = int(np.argmin(recall))
    return (
        f"The judge recognizes the class of {100 * findings.whole.gate_accuracy:.0f} % of its "
        f"images (of held-out real faces {100 * findings.floor.gate_accuracy:.0f} %), least often "
        f"that of {CLASSES[worst]}: {100 * recall[worst]:.0f} % ({100 * real[worst]:.0f} %)."
    )


# --- advice --------------------------------------------------------------------------------------


def _of_dead(findings: Findings) -> Iterator[tuple[str, str]]:
    dead = dead_classes(findings)
    if dead:
        names = ", ".join(dead)
        yield (
            f"*{names}*: the images hardly show the class, or hardly differ",
            "do not train on these images: a classifier learns nothing of the class from them"
            + _generator(
                findings,
                "; train the generator longer (`total_kimg`) or with `gan.class_sampling=balanced`",
            ),
        )


def _of_classes(findings: Findings) -> Iterator[tuple[str, str]]:
    if _class_share(findings) < CLEAR:
        yield (
            f"the judge recognizes {100 * findings.whole.gate_accuracy:.0f} % of the classes, of "
            f"held-out real faces {100 * findings.floor.gate_accuracy:.0f} %",
            "`ferbench curate` keeps the images whose class is clear; `data.teacher=auto` in "
            "`ferbench classify` learns from soft labels instead",
        )


def _of_variety(findings: Findings) -> Iterator[tuple[str, str]]:
    if _coverage_share(findings) < VARIED:
        yield (
            f"coverage is {100 * _coverage_share(findings):.0f} % of that of held-out real faces",
            "`ferbench curate spread=true` from a larger pool"
            + _generator(
                findings, "; draw with `psi=1`; train the generator longer (`total_kimg`)"
            ),
        )


def _of_nearness(findings: Findings) -> Iterator[tuple[str, str]]:
    if _distance_ratio(findings) >= FAR:
        yield (
            f"the FID is {_distance_ratio(findings):.3g} times that of held-out faces",
            "`ferbench curate` from a larger pool"
            + _generator(
                findings,
                "; train the generator longer (`total_kimg`), its best weights chosen by a judge",
            ),
        )


def _generator(findings: Findings, advice: str) -> str:
    """Advice about the generator, nothing where none is known."""
    return advice if findings.has_generator else ""
