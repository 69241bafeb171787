"""The numbers of fidelity for machines: metrics.json and the columns of a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferbench.classes import CLASSES
from ferbench.fidelity.findings import Findings, Side
from ferbench.report.audit import by_class, plain


def as_json(findings: Findings) -> dict[str, Any]:
    """Every number, for metrics.json; null where a number is not defined."""
    sides = {name: _side_json(side) for name, side in findings.sides.items()}
    return sides | {
        "classes": list(CLASSES),
        "reference": {
            "diversity": by_class(findings.reference.features),
            "pixel_diversity": by_class(findings.reference.pixels),
        },
        "path_length": plain(findings.path_length),
        "trained_accuracy": {row.run: row.accuracy for row in findings.trained},
    }


def _side_json(side: Side) -> dict[str, Any]:
    values = side.comparison
    return {
        "overall": plain(values.overall),
        "classes": by_class(values.classes),
        "fid_intra": plain(values.intra_fid),
        "inception_score": plain(values.inception_score),
        "inception_score_sd": plain(values.inception_score_sd),
        "js_distance": {"overall": plain(side.js.overall), "classes": by_class(side.js.classes)},
        "gate_confusion": plain(side.judged),
    }


def row_columns(findings: Findings) -> dict[str, Any]:
    """The columns of the table that hold what was measured."""
    whole, matched, floor = (side.comparison for side in findings.sides.values())
    values, diversity = whole.overall, findings.relative_diversity(findings.whole)
    accuracies = [row.accuracy for row in findings.trained]
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
        "js_distance": findings.matched.js.overall,
        "js_floor": findings.floor.js.overall,
        "precision_knn": values.precision,
        "density": values.density,
        "recall_knn": values.recall,
        "coverage": values.coverage,
        "diversity": float(diversity.mean()),
        "diversity_least": float(diversity.min()),
        "inception_score": whole.inception_score,
        "path_length": findings.path_length,
        "trained_accuracy": float(np.mean(accuracies)) if accuracies else None,
        **(_gate_columns(findings) if findings.has_judge else {}),
    }


def _gate_columns(findings: Findings) -> dict[str, float]:
    whole, floor = findings.whole, findings.floor
    columns = {"gate_accuracy": whole.gate_accuracy, "gate_floor": floor.gate_accuracy}
    recalls = zip(CLASSES, whole.gate_recall, strict=True)
    return columns | {f"gate_{name}": float(share) for name, share in recalls}
