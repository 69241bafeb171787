"""Bias for people and machines: report, terminal, metrics.json, the row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.bias import tables
from ferbench.bias.association import cramers_v, npmi
from ferbench.bias.compared import Compared
from ferbench.bias.computed import MEANING
from ferbench.bias.findings import Findings
from ferbench.bias.groups import GroupScores
from ferbench.classes import CLASSES
from ferbench.report import Block, Code, Figure, Heading, Table, Text, audit

GAPS = ("accuracy_gap", "recall_gap", "odds_gap")


def summary(found: Findings) -> str:
    """The main tables and the advice, for the terminal."""
    shown = {"Attributes": tables.attributes_table(found.attributes)}
    if found.groups:
        shown["Gaps between groups"] = tables.gaps_table(found.groups)
    return audit.summary(shown, lines=audit.advice_lines(_advice(found)))


def _advice(found: Findings) -> list[tuple[str, str]]:
    return found.advice or [("nothing that is more than chance", "-")]


# --- report --------------------------------------------------------------------------------------


def blocks(
    found: Findings, facts: Mapping[str, str], pictures: Sequence[tuple[Path, str]], command: str
) -> list[Block]:
    """The report. facts: what was looked at, by name; pictures: figures with their captions."""
    return [
        Table(["", ""], [[name, value] for name, value in facts.items()], leading=2),
        Heading("What to do"),
        Table(["found", "what acts on it"], [list(line) for line in _advice(found)], leading=2),
        *(_classifier(found) if found.groups else ()),
        Heading("Classes"),
        tables.classes_table(found),
        Heading("Attributes"),
        Text(_reading(found)),
        tables.attributes_table(found.attributes),
        Table(
            ["attribute", "what it is"],
            [
                [one.attribute.name, MEANING.get(one.attribute.name, "given in the file")]
                for one in found.attributes
            ],
            leading=2,
        ),
        *_given(found.attributes),
        Heading("Pictures"),
        *(Figure(path, caption) for path, caption in pictures),
        Heading("To do it again"),
        Code(command),
        Text(
            "`docs/bias.md` has the formulas and their limits, `docs/metrics.md` the columns of "
            "the table; all numbers stand in `metrics.json`."
        ),
    ]


def _reading(found: Findings) -> str:
    blank = f" {found.blank} blank images have no computed attribute." if found.blank else ""
    text = (
        "These attributes are computed from pixels or come from the file given; no age, sex or "
        "skin color is guessed from an image." + blank
    )
    if found.itself:
        return f"{text} These are the real Training images, so there is nothing to compare with."
    return (
        f"{text} *Distance*: how differently the attribute is spread in these and in the real "
        "Training images, at equal shares of the classes. *Association*: how much the class tells "
        "of the attribute, and *amplification* how much more it does here than in the real images; "
        "an interval that holds 0 is noise."
    )


def _classifier(found: Findings) -> Iterator[Block]:
    yield Heading("The classifier, group by group")
    yield Text(
        "Groups of computed attributes are quartiles of the real Training images. *By chance* is "
        "what a gap stays below in 95 % of the draws when the images of each class are dealt to "
        "the groups at random: a gap under it says nothing. The attributes are many; one of twenty "
        "exceeds it by luck."
    )
    yield tables.gaps_table(found.groups)
    for scores in found.groups:
        yield Heading(f"{scores.attribute.name}", level=3)
        yield tables.groups_table(scores, found.min_count)


def _given(attributes: Sequence[Compared]) -> Iterator[Block]:
    for one in attributes:
        if one.attribute.given:
            yield Heading(f"{one.attribute.name} and class", level=3)
            yield tables.npmi_table(one)


# --- machines ------------------------------------------------------------------------------------


def as_json(found: Findings) -> dict[str, Any]:
    """Every number, for metrics.json; null where a number is not defined."""
    shares = found.representation
    return {
        "images": found.images,
        "blank": found.blank,
        "classes": {
            "own": _named(shares.own),
            "real": _named(shares.real),
            "total_variation": shares.distance,
            "floor": shares.floor,
            "ratio": shares.ratio,
        },
        "attributes": {one.attribute.name: _attribute_json(one) for one in found.attributes},
        "groups": {scores.attribute.name: _groups_json(scores) for scores in found.groups},
        "advice": [list(line) for line in found.advice],
    }


def _attribute_json(one: Compared) -> dict[str, Any]:
    names = one.attribute.group_names
    return {
        "measure": "eta squared" if one.attribute.numeric else "Cramer's V",
        "groups": list(names),
        "counts": {name: row.tolist() for name, row in zip(CLASSES, one.own_counts, strict=True)},
        "real_counts": None
        if one.real_counts is None
        else {name: row.tolist() for name, row in zip(CLASSES, one.real_counts, strict=True)},
        "js_distance": one.distance,
        "js_floor": one.floor,
        "association": asdict(one.own),
        "real_association": None if one.real is None else asdict(one.real),
        "amplification": None if one.amplification is None else asdict(one.amplification),
        "information": one.own_information,
        "real_information": one.real_information,
        "cramers_v": float(cramers_v(one.own_counts)),
        "npmi": _cells(npmi(one.own_counts)),
    }


def _groups_json(scores: GroupScores) -> dict[str, Any]:
    gaps = {name: getattr(scores, name) for name in GAPS}
    gaps |= {f"recall_{name}": gap for name, gap in zip(CLASSES, scores.recall_gaps, strict=True)}
    return {
        "groups": list(scores.attribute.group_names),
        "images": scores.images.tolist(),
        "too_few": scores.too_few.tolist(),
        "accuracy": _cells(scores.accuracy),
        "recall": _cells(scores.recall),
        "class_too_few": scores.class_too_few.tolist(),
        "confusion": scores.confusion.tolist(),
        "gaps": {name: None if gap is None else asdict(gap) for name, gap in gaps.items()},
    }


def _named(values: np.ndarray) -> dict[str, Any]:
    return dict(zip(CLASSES, values.tolist(), strict=True))


def _cells(values: np.ndarray) -> Any:
    """Nested lists, None for NaN."""
    if values.ndim:
        return [_cells(row) for row in values]
    return None if math.isnan(values) else float(values)


def row_columns(found: Findings) -> dict[str, Any]:
    """The columns of the common table that hold what was found."""
    columns: dict[str, Any] = {
        "set_images": found.images,
        "class_ratio": found.representation.ratio,
        "class_difference": found.representation.distance,
    }
    strongest, farthest, amplified = found.strongest, found.farthest, found.amplified
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
    for name in GAPS:
        scores = found.widest(name)
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
