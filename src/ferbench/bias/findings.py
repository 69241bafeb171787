"""All that was found of one set or classifier, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ferbench.bias import compared, groups
from ferbench.bias.attributes import Attribute
from ferbench.bias.compared import Compared, Representation
from ferbench.bias.groups import GroupScores
from ferbench.classes import CLASSES

LARGE_RATIO = 3.0  # of the largest class over the smallest, from which balancing is worth a try
T = TypeVar("T")


@dataclass(frozen=True)
class Findings:
    """images: in question; blank: those without computed attributes.

    synthetic: whether a generator made them. itself: whether they are the real Training images,
    with which nothing is compared then. groups: one an attribute with a classifier, else empty.
    """

    images: int
    blank: int
    synthetic: bool
    itself: bool
    representation: Representation
    attributes: tuple[Compared, ...]
    groups: tuple[GroupScores, ...]
    min_count: int

    @property
    def farthest(self) -> Compared | None:
        """The attribute with the largest distance over what chance gives."""
        return largest(
            self.attributes,
            lambda c: None if c.distance is None or c.floor is None else c.distance - c.floor,
        )

    @property
    def strongest(self) -> Compared | None:
        """The attribute that goes most with the class, in the images in question."""
        return largest(self.attributes, lambda c: c.own.value)

    @property
    def amplified(self) -> Compared | None:
        """The attribute whose association differs most from that in the real images."""
        return largest(
            self.attributes,
            lambda c: None if c.amplification is None else abs(c.amplification.value),
        )

    def widest(self, gap: str) -> GroupScores | None:
        """The attribute whose gap of this name is largest over what chance gives."""
        return largest(self.groups, lambda scores: _excess(getattr(scores, gap)))

    @property
    def advice(self) -> list[tuple[str, str]]:
        """(finding, what acts on it), of what is more than chance alone."""
        return [*_classes(self), *_shifts(self), *_stereotypes(self), *_groups(self)]


def find(
    labels: np.ndarray,
    real_labels: np.ndarray,
    attributes: Sequence[Attribute],
    *,
    predicted: np.ndarray | None,
    blank: int,
    synthetic: bool,
    itself: bool,
    min_count: int,
    rounds: int,
    seed: int,
) -> Findings:
    """Everything, from labels [N], [M] int64, attributes of both sides and predictions [N]."""
    rng = np.random.default_rng(seed)
    return Findings(
        images=len(labels),
        blank=blank,
        synthetic=synthetic,
        itself=itself,
        representation=compared.represent(labels, real_labels, rounds=rounds, rng=rng),
        attributes=tuple(
            compared.compare(one, labels, real_labels, rounds=rounds, rng=rng) for one in attributes
        ),
        groups=()
        if predicted is None
        else tuple(
            groups.score(one, labels, predicted, min_count=min_count, rounds=rounds, rng=rng)
            for one in attributes
        ),
        min_count=min_count,
    )


def largest(items: Sequence[T], value: Callable[[T], float | None]) -> T | None:
    """The item with the largest value, the first among equals; None where none has a value."""
    known = [(found, item) for item in items if (found := value(item)) is not None]
    return max(known, key=lambda pair: pair[0])[1] if known else None


def _excess(gap: groups.Gap | None) -> float | None:
    return None if gap is None else gap.value - gap.chance


# --- advice --------------------------------------------------------------------------------------

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


def _classes(found: Findings) -> Iterator[tuple[str, str]]:
    shares = found.representation
    if shares.ratio >= LARGE_RATIO:
        small, large = CLASSES[int(shares.own.argmin())], CLASSES[int(shares.own.argmax())]
        yield (
            f"{large} has {shares.ratio:.1f} times as many images as {small}",
            f"`ferbench synth counts={small}:NUMBER` draws more of it"
            if found.synthetic
            else "`train.sampling=balanced` or `train.class_weights=sqrt_inverse` in `ferbench "
            f"classify`; more of it with `ferbench synth counts={small}:NUMBER` and `data=mixed "
            "mix=add`",
        )
    elif shares.distance > shares.floor:
        yield (
            f"{100 * shares.distance:.0f} % of the images would have to change their class for "
            "the shares of the real ones",
            "`ferbench curate balance=natural` gives a set the shares of the real images, if "
            "that is wanted"
            if found.synthetic
            else "compare by `balanced_accuracy`, which does not depend on the shares",
        )


def _shifts(found: Findings) -> Iterator[tuple[str, str]]:
    for one in found.attributes:
        if not one.shifted:
            continue
        name = one.attribute.name
        yield (
            f"{name} is spread otherwise than in the real images (Jensen-Shannon "
            f"{one.distance:.3f}, by chance up to {one.floor:.3f})",
            _against_shift(one) if found.synthetic else _augment(one.attribute),
        )


def _against_shift(one: Compared) -> str:
    if one.attribute.name in LEVELS:
        return "`data.normalize=source` in `ferbench classify data=synthetic` or `data=mixed`"
    return (
        "`ferbench curate spread=true` chooses images that are spread like the real ones; more "
        "training (`total_kimg`) if all that the generator draws is off"
    )


def _stereotypes(found: Findings) -> Iterator[tuple[str, str]]:
    for one in found.attributes:
        change = one.amplification
        if change is None or change.noise:
            continue
        grows = change.value > 0
        yield (
            f"class and {one.attribute.name} go together {'more' if grows else 'less'} than in the "
            f"real images ({one.measure} {change.value:+.3f}, {change.low:+.3f} to "
            f"{change.high:+.3f})",
            _against_stereotype(one, found)
            if grows
            else "nothing to repair; but what real classes have in common is lost: "
            "`ferbench fidelity` "
            "shows whether the classes are drawn well at all",
        )


def _against_stereotype(one: Compared, found: Findings) -> str:
    if not found.synthetic:
        return _augment(one.attribute)
    return (
        "`ferbench curate spread=true` spreads each class over its real images; when learning, "
        f"{_augment(one.attribute)}"
    )


def _groups(found: Findings) -> Iterator[tuple[str, str]]:
    for scores in found.groups:
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


def _augment(attribute: Attribute) -> str:
    known = AUGMENT.get(attribute.name)
    return known or (
        f"no key knows {attribute.name}: more images of the smaller groups; hold classifiers "
        "against each other by `ferbench bias run=FOLDER attributes=FILE`"
    )
