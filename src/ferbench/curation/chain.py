"""The steps of a curation in their order, and what each of them dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ferbench.classes import CLASSES
from ferbench.classifiers.judge import Judge
from ferbench.curation import near_duplicates, spread, verdicts
from ferbench.curation.look import Cells, Seen, look, real_cells
from ferbench.curation.training_copies import Strictness, TrainingCopies
from ferbench.data import label_counts
from ferbench.data.face_set import Faces
from ferbench.errors import UserError
from ferbench.similarity import views


@dataclass(frozen=True)
class Settings:
    """What is done, and how strictly; conf/curate.yaml explains each.

    confidence, keep_share: None leaves the step out, and keep_share goes before confidence. n: None
    takes as many as the balance allows. cells: None draws without them.
    """

    mismatched: str
    mismatch_confidence: float
    confidence: float | None
    keep_share: float | None
    train_copies: Strictness | None
    duplicate_correlation: float | None
    cells: int | None
    n: int | None
    balance: str
    short: str
    seed: int


@dataclass(frozen=True)
class Step:
    """counts: images of each class by their label after it; facts: thresholds and findings."""

    name: str
    counts: dict[str, int]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Curated:
    """The images taken, in their order: rows of the pool and labels, [n] int64 both.

    steps: the first is the pool, the last the set. missing: images of each class that were wanted
    and not there.
    """

    rows: np.ndarray
    labels: np.ndarray
    steps: list[Step]
    missing: dict[str, int]


def run(
    images: np.ndarray,
    labels: np.ndarray,
    train: Faces,
    held: np.ndarray,
    judge: Judge,
    settings: Settings,
    *,
    batch: int,
    on_step: Callable[[str], object],
) -> Curated:
    """Choose among a pool: images [N, 48, 48] uint8 (maybe memory-mapped), labels [N] int64.

    train: the real Training images; held: [H, 48, 48] uint8, PublicTest's. The same seed gives the
    same choice. Raises UserError if nothing is left, or too little and settings.short is "refuse".
    """
    cells = None
    if settings.cells is not None:
        on_step("the judge looks at the real images")
        cells = real_cells(
            judge, train.images, train.labels, count=settings.cells, seed=settings.seed, batch=batch
        )
    on_step(f"the judge looks at the pool: {len(images):,} images")
    chain = _Chain(images, np.array(labels), look(judge, images, cells, batch=batch))
    chain.mismatches(settings)
    chain.confidence(settings)
    if settings.train_copies is not None:
        on_step("copies of training images")
        chain.training_copies(train.images, held, judge, settings.train_copies, batch)
    if settings.duplicate_correlation is not None:
        on_step("near-duplicates among themselves")
        chain.near_duplicates(settings.duplicate_correlation)
    return chain.chosen(settings, cells, np.bincount(train.labels, minlength=len(CLASSES)))


class _Chain:
    """A pool under way: the labels now, and which images are left."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, seen: Seen) -> None:
        self.images, self.labels, self.seen = images, labels, seen
        self.left = np.ones(len(labels), bool)
        self.steps: list[Step] = []
        self._note("pool", {})

    def mismatches(self, settings: Settings) -> None:
        """Drop or relabel what the judge surely takes for another class."""
        if settings.mismatched == "keep":
            return
        level, chances = settings.mismatch_confidence, self.seen.probabilities
        wrong = verdicts.mismatched(self.labels, chances, level)
        if settings.mismatched == "drop":
            self.left &= ~wrong
        else:
            self.labels[wrong] = chances.argmax(axis=1)[wrong]
        facts = {"mismatched": settings.mismatched, "mismatch_confidence": level}
        self._note("mismatched", facts | {"images": int(wrong.sum())})

    def confidence(self, settings: Settings) -> None:
        """Keep the images whose label the judge gives enough probability, or the best share."""
        chances = verdicts.of_label(self.labels, self.seen.probabilities)
        if settings.keep_share is not None:
            rows = np.flatnonzero(self.left)
            keep = verdicts.best_share(self.labels[rows], chances[rows], settings.keep_share)
            self.left[rows[~keep]] = False
            lowest = {
                name: float(chances[self.left & (self.labels == k)].min(initial=1.0))
                for k, name in enumerate(CLASSES)
            }
            facts = {"keep_share": settings.keep_share, "lowest_probability": lowest}
            self._note("confidence", facts)
        elif settings.confidence is not None:
            self.left &= chances >= settings.confidence
            self._note("confidence", {"confidence": settings.confidence})

    def training_copies(
        self, train: np.ndarray, held: np.ndarray, judge: Judge, strictness: Strictness, batch: int
    ) -> None:
        """Drop copies of training images."""

        def features(images: np.ndarray) -> np.ndarray:
            return views.unit(judge.describe(images, batch=batch).features)

        encoders = {"pixels": views.pixels, "gradients": views.gradients, "judge": features}
        finder = TrainingCopies(train, held, encoders, strictness)
        rows = np.flatnonzero(self.left)
        found = finder.find(self.images, rows)
        self.left[rows[np.any(list(found.values()), axis=0)]] = False
        self._note(
            "training copies",
            {
                **vars(strictness),
                "limits": finder.limits,
                "held_out_singletons": finder.held_singles,
                "held_out_near_copies": finder.held_near,
                "found": {name: int(mask.sum()) for name, mask in found.items()},
            },
        )

    def near_duplicates(self, near_correlation: float) -> None:
        """Of images that look alike keep the one that the judge is surest of."""
        rows = np.flatnonzero(self.left)
        chances = verdicts.of_label(self.labels[rows], self.seen.probabilities[rows])
        stay = near_duplicates.first_of_alike(
            self.images, rows, chances, near_correlation=near_correlation
        )
        self.left[rows[~stay]] = False
        self._note("near-duplicates", {"near_correlation": near_correlation})

    def chosen(self, settings: Settings, cells: Cells | None, real: np.ndarray) -> Curated:
        """Take the wanted number of each class; classes alternate in the order of the set."""
        available = list(self.steps[-1].counts.values())
        wanted = _wanted(settings, available, real)
        _check_enough(settings, available, wanted)
        rows, facts = [], {}
        for k, name in enumerate(CLASSES):
            own = np.flatnonzero(self.left & (self.labels == k))
            rng = np.random.default_rng([settings.seed, k])
            if cells is None or self.seen.cells is None:
                rows.append(spread.choose(own, None, None, wanted[k], rng))
                continue
            places = self.seen.cells[:, k]
            rows.append(spread.choose(own, places[own], cells.real[k], wanted[k], rng))
            facts[name] = {
                f"{when}_likeness": spread.likeness(places[some], cells.real[k])
                for when, some in (("candidates", own), ("chosen", rows[-1]))
            }
        self.left[:] = False
        self.left[np.concatenate(rows)] = True
        self._note(
            "spread" if facts else "drawn",
            {"cells": settings.cells, "classes": facts} if facts else {},
        )
        order = label_counts.interleaved([len(part) for part in rows])
        taken = np.empty(len(order), np.int64)
        for k, part in enumerate(rows):
            taken[order == k] = part
        missing = {
            name: wanted[k] - len(rows[k])
            for k, name in enumerate(CLASSES)
            if len(rows[k]) < wanted[k]
        }
        return Curated(taken, order, self.steps, missing)

    def _note(self, name: str, facts: dict[str, Any]) -> None:
        counts = np.bincount(self.labels[self.left], minlength=len(CLASSES))
        by_class = {one: int(count) for one, count in zip(CLASSES, counts, strict=True)}
        self.steps.append(Step(name, by_class, facts))


def _wanted(settings: Settings, available: list[int], real: np.ndarray) -> list[int]:
    """How many of each class: of n, or of as many as what is left allows at this balance."""
    shares = dict.fromkeys(CLASSES, 1)
    if settings.balance == "natural":
        shares = {name: int(count) for name, count in zip(CLASSES, real, strict=True)}
    n = settings.n
    if n is None:
        n = spread.largest(available, list(shares.values()))
        if n < len(CLASSES):
            left = ", ".join(f"{k} {v}" for k, v in zip(CLASSES, available, strict=True))
            raise UserError(
                f"n=null: too little is left for all classes ({left}); expected weaker filters, "
                "keep_share=0.5 for one, or n=NUMBER"
            )
    if settings.balance == "natural":
        return list(label_counts.natural(n, shares).values())
    return list(label_counts.equal(n, CLASSES).values())


def _check_enough(settings: Settings, available: list[int], wanted: list[int]) -> None:
    short = [
        f"{name} {have:,} of {want:,}"
        for name, have, want in zip(CLASSES, available, wanted, strict=True)
        if have < want
    ]
    if not any(available):
        raise UserError("set: no image of the pool is left; expected weaker filters")
    if short and settings.short == "refuse":
        raise UserError(
            f"short=refuse: too few images are left ({', '.join(short)}); expected a "
            "larger pool, weaker filters or short=accept"
        )


def table(steps: list[Step]) -> str:
    """What each step changed, for people: the pool, the change by class, and the set."""
    lines = ["".join([f"{'':<17}", *(f"{name:>9}" for name in (*CLASSES, "all"))])]
    for i, step in enumerate(steps):
        counts = [*step.counts.values(), sum(step.counts.values())]
        if i == 0:
            lines.append(_line(step.name, counts))
            continue
        before = [*steps[i - 1].counts.values(), sum(steps[i - 1].counts.values())]
        changes = [now - was for now, was in zip(counts, before, strict=True)]
        lines.append(_line(step.name, changes, "+"))
    last = steps[-1].counts.values()
    lines.append(_line("set", [*last, sum(last)]))
    return "\n".join(lines)


def _line(name: str, numbers: list[int], sign: str = "") -> str:
    return "".join([f"{name:<17}", *(f"{n:>{sign}9,}" for n in numbers)])
