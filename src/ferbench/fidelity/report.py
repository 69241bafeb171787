"""What `ferbench fidelity` found of a set: for the terminal, the table, the report and machines."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.classes import CLASSES
from ferbench.fidelity.comparison import Comparison, Reference
from ferbench.fidelity.feature_space import FeatureDistance
from ferbench.metrics import classification
from ferbench.report import Block, Code, Figure, Heading, Table, Text, grid
from ferbench.report.grid import terminal, three_digits
from ferbench.results.rows import ClassifierRow


@dataclass(frozen=True)
class Side:
    """Some images against the reference.

    gate: confusion of the judge on them, [7, 7] int64, rows are the labels; None without a judge.
    js: Jensen-Shannon distances from the reference in the features' space.
    """

    values: Comparison
    gate: np.ndarray | None
    js: FeatureDistance

    @property
    def accuracy(self) -> float:
        """Share of the images that the judge takes for their class."""
        assert self.gate is not None
        return float(np.trace(self.gate) / self.gate.sum())

    @property
    def recall(self) -> np.ndarray:
        """[7] the same for each class."""
        assert self.gate is not None
        return classification.per_class(self.gate).recall


@dataclass(frozen=True)
class Measured:
    """All numbers of one set; either all sides have a gate or none.

    whole: the set against the reference, `real`. matched: as many images of each class as the
    floor has. floor: PublicTest without copies of Training against the same reference.
    trained: classifiers that learned from this very set.
    """

    real: Reference
    whole: Side
    matched: Side
    floor: Side
    path_length: float | None
    trained: tuple[ClassifierRow, ...]

    @property
    def sides(self) -> dict[str, Side]:
        """The sides by name, in the order in which they are printed."""
        return {"set": self.whole, "matched": self.matched, "floor": self.floor}

    @property
    def has_gate(self) -> bool:
        """Whether a judge looked at the images."""
        return self.whole.gate is not None

    def diversity(self, side: Side) -> np.ndarray:
        """[7] diversity of each class in its features, as a share of that of the real images."""
        return np.array(
            [v.diversity / self.real.diversity[k] for k, v in enumerate(side.values.classes)]
        )


def row_columns(found: Measured) -> dict[str, Any]:
    """The columns of the common table that hold what was measured."""
    whole, matched, floor = (side.values for side in found.sides.values())
    values, spread = whole.overall, found.diversity(found.whole)
    accuracies = [row.accuracy for row in found.trained]
    return {
        "set_images": values.images,
        "reference_images": values.reference_images,
        "floor_images": floor.overall.images,
        "fid": values.fid,
        "fid_matched": matched.overall.fid,
        "fid_floor": floor.overall.fid,
        "fid_intra": whole.intra_fid,
        "kid": values.kid,
        "kid_deviation": values.kid_sd,
        "kid_floor": floor.overall.kid,
        "kid_disgust": whole.classes[CLASSES.index("disgust")].kid,
        "js_distance": found.matched.js.overall,
        "js_floor": found.floor.js.overall,
        "precision_knn": values.precision,
        "density": values.density,
        "recall_knn": values.recall,
        "coverage": values.coverage,
        "diversity": float(spread.mean()),
        "diversity_least": float(spread.min()),
        "inception_score": whole.inception_score,
        "path_length": found.path_length,
        "trained_accuracy": float(np.mean(accuracies)) if accuracies else None,
        **(_gate_columns(found) if found.has_gate else {}),
    }


def _gate_columns(found: Measured) -> dict[str, float]:
    columns = {"gate_accuracy": found.whole.accuracy, "gate_floor": found.floor.accuracy}
    by_class = zip(CLASSES, found.whole.recall, strict=True)
    return columns | {f"gate_{name}": float(share) for name, share in by_class}


def as_json(found: Measured) -> dict[str, Any]:
    """Every number, for metrics.json."""
    sides = {
        name: {
            "overall": asdict(side.values.overall),
            "classes": {c: asdict(v) for c, v in zip(CLASSES, side.values.classes, strict=True)},
            "fid_intra": side.values.intra_fid,
            "inception_score": side.values.inception_score,
            "inception_score_sd": side.values.inception_score_sd,
            "js_distance": {
                "overall": side.js.overall,
                "classes": dict(zip(CLASSES, side.js.classes, strict=True)),
            },
            "gate_confusion": None if side.gate is None else side.gate.tolist(),
        }
        for name, side in found.sides.items()
    }
    spread = {name: found.real.diversity[k] for k, name in enumerate(CLASSES)}
    pixels = {name: found.real.pixel_diversity[k] for k, name in enumerate(CLASSES)}
    real = {"diversity": spread, "pixel_diversity": pixels}
    trained = {row.run: row.accuracy for row in found.trained}
    return sides | {
        "classes": list(CLASSES),
        "reference": real,
        "path_length": found.path_length,
        "trained_accuracy": trained,
    }


# --- tables --------------------------------------------------------------------------------------

METRICS: tuple[tuple[str, str, Callable[[Comparison], str]], ...] = (
    ("FID", "lower", lambda c: three_digits(c.overall.fid)),
    ("FID, mean over classes", "lower", lambda c: three_digits(c.intra_fid)),
    ("KID x 1000", "lower", lambda c: _spread(1000 * c.overall.kid, 1000 * c.overall.kid_sd)),
    ("precision", "higher", lambda c: f"{c.overall.precision:.3f}"),
    ("density", "higher", lambda c: f"{c.overall.density:.3f}"),
    ("recall", "higher", lambda c: f"{c.overall.recall:.3f}"),
    ("coverage", "higher", lambda c: f"{c.overall.coverage:.3f}"),
    ("Inception Score", "higher", lambda c: _spread(c.inception_score, c.inception_score_sd)),
)
COLUMNS_NOTE = (
    "set: all its images against the reference. matched: as many of its images of each class as "
    "the floor has, because most of these numbers depend on how many there are. floor: real "
    "images, PublicTest without copies of Training, against the same reference: a perfect "
    "generator gets about this."
)


def values_table(found: Measured) -> Table:
    """Every overall number of the set, of its matched part and of the floor."""
    sides = found.sides.values()
    heads = [f"{name}, n={side.values.overall.images:,}" for name, side in found.sides.items()]
    lines = [
        [name, better, *(text(side.values) for side in sides)] for name, better, text in METRICS
    ]
    lines.append(["Jensen-Shannon distance", "lower", *(f"{s.js.overall:.3f}" for s in sides)])
    spread = [f"{found.diversity(side).mean():.3f}" for side in sides]
    lines.append(["diversity, share of real", "near 1", *spread])
    if found.has_gate:
        gates = [f"{side.accuracy:.3f}" for side in sides]
        lines.append(["gate accuracy", "higher", *gates])
    if found.path_length is not None:
        lines.append(["perceptual path length", "lower", three_digits(found.path_length), "", ""])
    return Table(["metric", "better", *heads], lines, note=COLUMNS_NOTE, leading=2)


def classes_table(found: Measured) -> Table:
    """The numbers of each class, with the floor's in brackets."""
    columns = [
        "class",
        "images",
        "gate",
        "diversity",
        "FID",
        "KID x 1000",
        "JS",
        "precision",
        "recall",
        "coverage",
        "pixel RMS",
    ]
    lines = [[name, *_class_cells(found, k)] for k, name in enumerate(CLASSES)]
    note = (
        "In brackets the floor. FID, JS (Jensen-Shannon distance), precision, recall and coverage "
        "are of the matched part of the set, the others of the whole set. gate: share that the "
        "judge takes for the class. "
        "diversity: mean distance of two images' features, as a share of the real images'. "
        "pixel RMS: mean difference of two images in [-1, 1], in brackets of the reference."
    )
    return Table(columns, lines, note=note)


def _class_cells(found: Measured, k: int) -> list[str]:
    own, matched, real = (side.values.classes[k] for side in found.sides.values())
    spread, floor_spread = (found.diversity(side)[k] for side in (found.whole, found.floor))
    return [
        f"{own.images:,} ({real.images:,})",
        _both(found.whole.recall[k], found.floor.recall[k]) if found.has_gate else "-",
        _both(spread, floor_spread),
        f"{three_digits(matched.fid)} ({three_digits(real.fid)})",
        f"{_spread(1000 * own.kid, 1000 * own.kid_sd)} ({1000 * real.kid:.2f})",
        _both(found.matched.js.classes[k], found.floor.js.classes[k]),
        _both(matched.precision, real.precision),
        _both(matched.recall, real.recall),
        _both(matched.coverage, real.coverage),
        _both(own.pixel_diversity, found.real.pixel_diversity[k]),
    ]


def _spread(value: float, deviation: float) -> str:
    return f"{value:.2f} ± {deviation:.2f}"


def _both(own: float, real: float) -> str:
    return f"{own:.2f} ({real:.2f})"


# --- terminal and report -------------------------------------------------------------------------


def summary(found: Measured, *, width: int) -> str:
    """The two tables for a terminal of so many characters."""
    tables = {"Overall": values_table(found), "By class": classes_table(found)}
    return "\n".join(_terminal(title, table, width) for title, table in tables.items())


def _terminal(title: str, table: Table, width: int) -> str:
    return terminal(grid(title, table), width) + textwrap.fill(table.note, width) + "\n"


def blocks(
    found: Measured, facts: Mapping[str, str], pictures: Sequence[tuple[Path, str]], command: str
) -> list[Block]:
    """The report's blocks. facts: what was compared with what, by name; pictures: with captions."""
    trained = [
        [
            row.run,
            row.model,
            str(row.seed),
            f"{row.test_data}, {row.test_split}",
            f"{row.accuracy:.3f}",
        ]
        for row in found.trained
    ]
    learners: list[Block] = []
    if trained:
        columns = ["run", "model", "seed", "test set", "accuracy"]
        learners = [Heading("Trained on this set"), Table(columns, trained, leading=4)]
    return [
        Table(["", ""], [[name, value] for name, value in facts.items()], leading=2),
        Heading("Values"),
        values_table(found),
        Heading("By class"),
        classes_table(found),
        *learners,
        Heading("Pictures"),
        *(Figure(path, caption) for path, caption in pictures),
        Heading("To do it again"),
        Code(command),
        Text("`docs/metrics.md` defines every number; all of them stand in `metrics.json`."),
    ]
