"""The numbers of bias for machines: metrics.json and the columns of a row."""

from __future__ import annotations

from typing import Any

from ferbench.bias import advice
from ferbench.bias.association import cramers_v, npmi
from ferbench.bias.findings import AttributeFindings, Findings, GroupScores
from ferbench.classes import CLASSES
from ferbench.report.audit import by_class, plain

GAPS = ("accuracy_gap", "recall_gap", "odds_gap")


def as_json(findings: Findings) -> dict[str, Any]:
    """Every number, for metrics.json; null where a number is not defined."""
    shares = findings.representation
    return {
        "images": findings.images,
        "blank": findings.blank,
        "classes": {
            "own": by_class(shares.own),
            "real": by_class(shares.real),
            "total_variation": shares.distance,
            "floor": shares.floor,
            "ratio": shares.ratio,
        },
        "attributes": {one.attribute.name: _attribute_json(one) for one in findings.attributes},
        "groups": {scores.attribute.name: _groups_json(scores) for scores in findings.groups},
        "advice": plain(advice.lines(findings)),
    }


def _attribute_json(one: AttributeFindings) -> dict[str, Any]:
    return {
        "measure": "eta squared" if one.attribute.numeric else "Cramer's V",
        "groups": list(one.attribute.group_names),
        "counts": by_class(one.own_counts),
        "real_counts": None if one.real_counts is None else by_class(one.real_counts),
        "js_distance": plain(one.distance),
        "js_floor": plain(one.floor),
        "association": plain(one.own),
        "real_association": plain(one.real),
        "amplification": plain(one.amplification),
        "information": plain(one.own_information),
        "real_information": plain(one.real_information),
        "cramers_v": plain(cramers_v(one.own_counts)),
        "npmi": plain(npmi(one.own_counts)),
    }


def _groups_json(scores: GroupScores) -> dict[str, Any]:
    gaps = {name: getattr(scores, name) for name in GAPS}
    gaps |= {f"recall_{name}": gap for name, gap in zip(CLASSES, scores.recall_gaps, strict=True)}
    arrays = ("images", "too_few", "accuracy", "recall", "class_too_few", "confusion")
    return {
        "groups": list(scores.attribute.group_names),
        **{name: plain(getattr(scores, name)) for name in arrays},
        "gaps": plain(gaps),
    }


def row_columns(findings: Findings) -> dict[str, Any]:
    """The columns of the table that hold what was measured."""
    return {
        "set_images": findings.images,
        "class_ratio": findings.representation.ratio,
        "class_difference": findings.representation.distance,
        **_attribute_columns(findings),
        **_gap_columns(findings),
    }


def _attribute_columns(findings: Findings) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    strongest, farthest, amplified = findings.strongest, findings.farthest, findings.amplified
    if strongest is not None:
        columns |= {"association": strongest.own.value, "association_of": strongest.attribute.name}
    if farthest is not None:
        columns |= {
            "attribute_js": farthest.distance,
            "attribute_js_floor": farthest.floor,
            "attribute_js_of": farthest.attribute.name,
        }
    if amplified is not None and amplified.amplification is not None:
        change = amplified.amplification
        columns |= {
            "amplification": change.value,
            "amplification_low": change.low,
            "amplification_high": change.high,
            "amplification_of": amplified.attribute.name,
        }
    return columns


def _gap_columns(findings: Findings) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name in GAPS:
        scores = findings.widest(name)
        if scores is not None:
            gap = getattr(scores, name)
            columns |= {
                name: gap.value,
                f"{name}_low": gap.low,
                f"{name}_high": gap.high,
                f"{name}_chance": gap.chance,
                f"{name}_of": scores.attribute.name,
            }
    return columns
