"""What to do about each finding that is more than chance: the key or the command that helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ferbench.bias.attributes import Attribute
from ferbench.bias.findings import AttributeFindings, Findings, Gap, GroupScores, Interval
from ferbench.classes import CLASSES

DEAD_RECALL = 0.1  # of a class under a classifier, below which it counts as dead
LARGE_RATIO = 3.0  # of the largest class over the smallest, from which balancing is worth a try
# What changes an attribute of the images that a classifier learns from.
AUGMENT = {
    "brightness": "a larger `train.augment.brightness` in `ferbench classify`",
    "contrast": "a larger `train.augment.contrast` in `ferbench classify`",
    "sharpness": "a larger `train.augment.zoom` in `ferbench classify`, which resamples the images",
    "symmetry": "larger `train.augment.rotate_degrees` and `shear_degrees` in `ferbench classify`",
    "face_scale": "larger `train.augment.zoom` and `shift` in `ferbench classify`",
    "border_text": "a larger `train.augment.erase` in `ferbench classify`",
}
LEVELS = ("brightness", "contrast")  # what data.normalize=source sets to that of real images


def lines(findings: Findings) -> list[tuple[str, str]]:
    """(finding, what to do about it), of what is more than chance alone.

    The gravest first: dead classes, then groups under a classifier, classes, and what the images
    show, each kind by its size. What is helped by the same thing is one line.
    """
    ranked = [
        *_dead(findings),
        *_groups(findings),
        *_classes(findings),
        *_stereotypes(findings),
        *_shifts(findings),
    ]
    return merged(ranked)


def merged(ranked: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The lines with those of the same action joined, where the first of them stands."""
    by_action: dict[str, list[str]] = {}
    for finding, action in ranked:
        by_action.setdefault(action, []).append(finding)
    return [("; ".join(found), action) for action, found in by_action.items()]


def _dead(findings: Findings) -> Iterator[tuple[str, str]]:
    """Classes that a classifier hardly ever gives right."""
    if not findings.groups:
        return
    confusion = findings.groups[0].confusion.sum(axis=0)
    recall = np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1)
    dead = [name for name, share in zip(CLASSES, recall, strict=True) if share < DEAD_RECALL]
    if dead:
        yield (
            f"*{', '.join(dead)}* is hardly ever recognized (recall under "
            f"{100 * DEAD_RECALL:.0f} %)",
            "look at nothing else before this: `train.sampling=balanced` or "
            "`train.class_weights=sqrt_inverse`, longer training, and more images of the class",
        )


def _classes(findings: Findings) -> Iterator[tuple[str, str]]:
    shares = findings.representation
    if shares.ratio >= LARGE_RATIO:
        small, large = CLASSES[int(shares.own.argmin())], CLASSES[int(shares.own.argmax())]
        yield (
            f"{large} has {shares.ratio:.1f} times as many images as {small}",
            f"`ferbench synth counts={small}:NUMBER` draws more images of {small}"
            if findings.synthetic
            else "`train.sampling=balanced` or `train.class_weights=sqrt_inverse` in `ferbench "
            f"classify`; more images of {small} by `ferbench synth counts={small}:NUMBER` and "
            "`data=mixed mix=add`",
        )
    elif shares.distance > shares.floor:
        yield (
            f"{100 * shares.distance:.0f} % of the images would need another class to give the "
            "classes the shares of the real images",
            "`ferbench curate balance=natural` selects images with the class shares of the real "
            "ones, if that is wanted"
            if findings.synthetic
            else "compare classifiers by `balanced_accuracy`, which does not depend on the shares",
        )


def _shifts(findings: Findings) -> Iterator[tuple[str, str]]:
    shifted = [one for one in findings.attributes if one.shifted]
    for one in sorted(shifted, key=lambda one: -(one.excess_distance or 0)):
        yield (
            f"{one.attribute.name} is distributed differently than in the real images (Jensen-"
            f"Shannon distance {one.distance:.3f}, by chance up to {one.floor:.3f})",
            _against_shift(one) if findings.synthetic else _augment(one.attribute),
        )


def _against_shift(one: AttributeFindings) -> str:
    if one.attribute.name in LEVELS:
        return "`data.normalize=source` in `ferbench classify data=synthetic` or `data=mixed`"
    return (
        "`ferbench curate spread=true` selects images that are distributed like the real ones; "
        "train longer (`total_kimg`) if all images of the generator are off"
    )


def _stereotypes(findings: Findings) -> Iterator[tuple[str, str]]:
    for one, change in sorted(_changes(findings), key=lambda pair: -pair[1].value):
        grows = change.value > 0
        yield (
            f"class and {one.attribute.name} are associated {'more' if grows else 'less'} strongly "
            f"than in the real images ({one.measure} {change.value:+.3f}, {change.low:+.3f} to "
            f"{change.high:+.3f})",
            _against_stereotype(one, findings)
            if grows
            else "nothing to correct, but something that the images of a real class have in common "
            "is lost: `ferbench fidelity` shows whether the classes are drawn well at all",
        )


def _changes(findings: Findings) -> list[tuple[AttributeFindings, Interval]]:
    """The attributes whose association with the class differs by more than chance."""
    pairs = [(one, one.amplification) for one in findings.attributes]
    return [(one, change) for one, change in pairs if change is not None and not change.noise]


def _against_stereotype(one: AttributeFindings, findings: Findings) -> str:
    if not findings.synthetic:
        return _augment(one.attribute)
    return (
        "`ferbench curate spread=true` distributes each class like its real images; in training: "
        f"{_augment(one.attribute)}"
    )


def _groups(findings: Findings) -> Iterator[tuple[str, str]]:
    for scores in sorted(findings.groups, key=_width, reverse=True):
        gap = scores.recall_gap
        if scores.accuracy_gap is not None and not scores.accuracy_gap.noise:
            accuracy = scores.accuracy[:, 0].copy()
            accuracy[scores.too_few] = np.nan
            worst = scores.attribute.group_names[int(np.nanargmin(accuracy))]
            yield (
                f"accuracy differs by {100 * scores.accuracy_gap.value:.1f} points over groups of "
                f"{scores.attribute.name}, lowest for *{worst}*",
                _augment(scores.attribute),
            )
        if gap is not None and not gap.noise:
            yield (
                f"recall of {scores.worst_class} differs by {100 * gap.value:.1f} points over "
                f"groups of {scores.attribute.name}",
                f"more images of the class: `train.sampling=balanced`, or `ferbench synth "
                f"counts={scores.worst_class}:NUMBER` and `data=mixed mix=add`; "
                f"{_augment(scores.attribute)}",
            )


def _width(scores: GroupScores) -> float:
    """The larger of its two gaps, as far as it is more than chance."""

    def excess(gap: Gap | None) -> float:
        return 0.0 if gap is None else max(gap.value - gap.chance, 0.0)

    return max(excess(scores.accuracy_gap), excess(scores.recall_gap))


def _augment(attribute: Attribute) -> str:
    known = AUGMENT.get(attribute.name)
    return known or (
        f"no key changes {attribute.name}: add images of the smaller groups, and compare "
        "classifiers with `ferbench bias run=FOLDER attributes=FILE`"
    )
