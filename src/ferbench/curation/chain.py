"""The steps of a curation in their order, and what each of them dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferbench.classes import CLASSES
from ferbench.classifiers.judge import Judge
from ferbench.curation import judged, near_duplicates, spread
from ferbench.curation.findings import Curated, Step
from ferbench.curation.judged import ClassCells, Judged
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
class Pool:
    """What is chosen from: images [N, 48, 48] uint8 (maybe memory-mapped), labels [N] int64."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class RealFaces:
    """What the choice rests on: the Training faces, and PublicTest's images [H, 48, 48] uint8."""

    train: Faces
    held: np.ndarray


def run(
    pool: Pool,
    real: RealFaces,
    judge: Judge,
    settings: Settings,
    *,
    batch: int,
    on_step: Callable[[str], object],
) -> Curated:
    """Choose among a pool; the same seed gives the same choice.

    batch: images that the judge gets at once; on_step gets the name of each step before it begins.
    Raises UserError if nothing is left, or too little and settings.short is "refuse".
    """
    cells, train = None, real.train
    if settings.cells is not None:
        on_step("the judge describes the real images")
        cells = judged.real_cells(
            judge, train.images, train.labels, count=settings.cells, seed=settings.seed, batch=batch
        )
    on_step(f"the judge classifies the pool: {len(pool.images):,} images")
    chain = _Chain(pool, judged.judge_images(judge, pool.images, cells, batch=batch), settings)
    chain.mismatches()
    chain.confidence()
    if settings.train_copies is not None:
        on_step("copies of training images")
        chain.training_copies(real, _encoders(judge, batch), settings.train_copies)
    if settings.duplicate_correlation is not None:
        on_step("near-duplicates among themselves")
        chain.near_duplicates(settings.duplicate_correlation)
    return chain.chosen(cells, label_counts.class_counts(train.labels))


def _encoders(judge: Judge, batch: int) -> dict[str, views.Encode]:
    """The spaces in which copies of training images are sought."""

    def features(images: np.ndarray) -> np.ndarray:
        return views.unit(judge.describe(images, batch=batch, what="described").features)

    return {"pixels": views.pixels, "gradients": views.gradients, "judge": features}


class _Chain:
    """A pool under way: the labels now, and which images are left."""

    def __init__(self, pool: Pool, judged_pool: Judged, settings: Settings) -> None:
        self.images, self.labels = pool.images, np.array(pool.labels)
        self.judged, self.settings = judged_pool, settings
        self.left = np.ones(len(self.labels), bool)
        self.steps: list[Step] = []
        self._note("pool", {})

    def mismatches(self) -> None:
        """Drop or relabel what the judge assigns to another class with high probability."""
        how, level = self.settings.mismatched, self.settings.mismatch_confidence
        if how == "keep":
            return
        probabilities = self.judged.probabilities
        wrong = judged.mismatched(self.labels, probabilities, level)
        if how == "drop":
            self.left &= ~wrong
        else:
            self.labels[wrong] = probabilities.argmax(axis=1)[wrong]
        facts = {"mismatched": how, "mismatch_confidence": level, "images": int(wrong.sum())}
        self._note("mismatched", facts)

    def confidence(self) -> None:
        """Keep the images whose label the judge gives enough probability, or the best share."""
        own = judged.label_probabilities(self.labels, self.judged.probabilities)
        share, least = self.settings.keep_share, self.settings.confidence
        if share is not None:
            rows = np.flatnonzero(self.left)
            keep = judged.best_share(self.labels[rows], own[rows], share)
            self.left[rows[~keep]] = False
            lowest = {
                name: float(own[self.left & (self.labels == k)].min(initial=1.0))
                for k, name in enumerate(CLASSES)
            }
            self._note("confidence", {"keep_share": share, "lowest_probability": lowest})
        elif least is not None:
            self.left &= own >= least
            self._note("confidence", {"confidence": least})

    def training_copies(
        self, real: RealFaces, encoders: dict[str, views.Encode], strictness: Strictness
    ) -> None:
        """Drop copies of training images."""
        finder = TrainingCopies(real.train.images, real.held, encoders, strictness)
        rows = np.flatnonzero(self.left)
        copies = finder.find(self.images, rows)
        self.left[rows[np.any(list(copies.values()), axis=0)]] = False
        self._note(
            "training copies",
            {
                **vars(strictness),
                "limits": finder.limits,
                "held_out_singletons": finder.held_singles,
                "held_out_near_copies": finder.held_near,
                "found": {name: int(mask.sum()) for name, mask in copies.items()},
            },
        )

    def near_duplicates(self, near_correlation: float) -> None:
        """Of images that look alike keep the one with the highest probability of its class."""
        rows = np.flatnonzero(self.left)
        own = judged.label_probabilities(self.labels[rows], self.judged.probabilities[rows])
        stay = near_duplicates.first_of_alike(
            self.images, rows, own, near_correlation=near_correlation
        )
        self.left[rows[~stay]] = False
        self._note("near-duplicates", {"near_correlation": near_correlation})

    def chosen(self, cells: ClassCells | None, real: np.ndarray) -> Curated:
        """Take the wanted number of each class; classes alternate in the order of the set."""
        available = list(self.steps[-1].counts.values())
        wanted = _wanted(self.settings, available, real)
        _check_enough(self.settings, available, wanted)
        rows, facts = [], {}
        for k, name in enumerate(CLASSES):
            own = np.flatnonzero(self.left & (self.labels == k))
            taken = self._taken(k, own, cells, wanted[k])
            rows.append(taken)
            if cells is not None:
                facts[name] = self._likeness(k, own, taken, cells)
        self.left[:] = False
        self.left[np.concatenate(rows)] = True
        self._note(
            "spread" if facts else "drawn",
            {"cells": self.settings.cells, "classes": facts} if facts else {},
        )
        missing = {
            name: wanted[k] - len(rows[k])
            for k, name in enumerate(CLASSES)
            if len(rows[k]) < wanted[k]
        }
        return Curated(*_alternating(rows), self.steps, missing)

    def _taken(self, k: int, own: np.ndarray, cells: ClassCells | None, n: int) -> np.ndarray:
        """Rows of n images of class k, out of its rows that are left."""
        rng = np.random.default_rng([self.settings.seed, k])
        if cells is None or self.judged.cells is None:
            return spread.choose(own, None, None, n, rng)
        return spread.choose(own, self.judged.cells[own, k], cells.real[k], n, rng)

    def _likeness(
        self, k: int, own: np.ndarray, taken: np.ndarray, cells: ClassCells
    ) -> dict[str, float | None]:
        """How closely candidates and chosen images of class k follow the real ones."""
        assert self.judged.cells is not None
        places, real = self.judged.cells[:, k], cells.real[k]
        return {
            "candidates_likeness": spread.likeness(places[own], real),
            "chosen_likeness": spread.likeness(places[taken], real),
        }

    def _note(self, name: str, facts: dict[str, Any]) -> None:
        counts = label_counts.counts_by_name(self.labels[self.left])
        self.steps.append(Step(name, counts, facts))


def _alternating(rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(rows, labels) [n] int64 both of the set: the rows of each class, classes alternating."""
    labels = label_counts.interleaved([len(part) for part in rows])
    taken = np.empty(len(labels), np.int64)
    for k, part in enumerate(rows):
        taken[labels == k] = part
    return taken, labels


def _wanted(settings: Settings, available: list[int], real: np.ndarray) -> list[int]:
    """How many of each class: of n, or of as many as what is left allows at this balance."""
    shares = dict.fromkeys(CLASSES, 1)
    if settings.balance == "natural":
        shares = dict(zip(CLASSES, real.tolist(), strict=True))
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
