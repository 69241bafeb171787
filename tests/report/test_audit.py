"""What reports of measurements share: order, summary, command line, JSON."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.report import Code, Figure, Heading, Table, Text, audit
from ferbench.report.audit import Context, Verdict

FACTS = {"set": "`x`", "software": "ferbench 1"}
TABLE = Table(["metric", "set", "floor"], [["FID", "3.2", ""]], note="n = 7")


def headings(blocks):
    return [block.text for block in blocks if isinstance(block, Heading)]


def test_a_report_has_one_order():
    context = Context(FACTS, [Figure(Path("a.png"), "A.")], "ferbench x", notes=["A note."])
    blocks = audit.blocks(
        context,
        [Heading("Values"), TABLE],
        verdict=Verdict("copies", ["Two of them."]),
        advice=[("a gap", "more images")],
        method=[Text("By counting.")],
    )
    assert [block.text for block in blocks[:3]] == ["*Verdict: copies.*", "Two of them.", "A note."]
    assert headings(blocks) == [
        "What was compared",
        "What to do",
        "Values",
        "Figures",
        "Method",
        "To repeat it",
    ]
    assert blocks[4].lines == [["set", "`x`"], ["software", "ferbench 1"]]
    assert blocks[-2:] == [Code("ferbench x"), Text(audit.READ_ON)]


def test_sections_without_content_are_left_out():
    blocks = audit.blocks(Context({}, [], "ferbench x"), [], closing=[])
    assert blocks == [Heading("To repeat it"), Code("ferbench x")]


def test_advice_that_finds_nothing_is_said():
    blocks = audit.blocks(Context(FACTS, [], "x"), [], advice=[])
    assert Text("Nothing was found that calls for action.") in blocks
    assert audit.advice_lines([]) == ["- nothing was found that calls for action"]
    assert audit.advice_lines([("a", "b")]) == ["- a: b"]


def test_the_summary_is_tables_with_notes_and_lines():
    text = audit.summary({"Values": TABLE}, lines=["verdict: fine"])
    assert text.splitlines() == [
        "Values",
        "------------------",
        "metric  set  floor",
        "------------------",
        "FID     3.2",
        "------------------",
        "n = 7",
        "",
        "verdict: fine",
    ]
    assert "not shown for want of width: floor" in audit.summary({"Values": TABLE}, width=12)


def test_a_command_is_safe_for_a_shell():
    words = {"set": "a b", "seed": 0, "judge": None, "force": False}
    assert audit.command_line("fidelity", words) == "ferbench fidelity 'set=a b' seed=0 force=False"
    assert audit.command_line("audit data", {}) == "ferbench audit data"


def test_facts_about_a_run():
    environment = {"code_version": "1.0", "packages": {"torch": "2.5"}, "hardware": "a CPU"}
    assert audit.software(environment) == "ferbench 1.0, torch 2.5, on a CPU"
    assert audit.image_set("x", 1234, "ab" * 32) == "`x`, 1,234 images, hash `abababababab`"
    assert audit.generator({"kimg": 40, "source": "s", "other": 1}) == "kimg 40, source s"
    assert audit.generator({}) == "-"


@dataclass(frozen=True)
class Inner:
    value: float
    counts: np.ndarray


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (float("nan"), None),
        (np.array([[1.0, np.nan], [np.inf, 2.0]]), [[1.0, None], [None, 2.0]]),
        (np.array([1, 2]), [1, 2]),
        (np.bool_(True), True),
        ({1: (2, "x")}, {"1": [2, "x"]}),
        (Inner(0.25, np.arange(2)), {"value": 0.25, "counts": [0, 1]}),
        ([Inner(np.nan, np.zeros(0))], [{"value": None, "counts": []}]),
        (Path("a/b"), "a/b"),
        (None, None),
    ],
)
def test_values_as_json_can_hold_them(value, expected):
    assert audit.plain(value) == expected
    assert json.loads(json.dumps(audit.plain(value), allow_nan=False)) == expected


def test_values_by_class():
    assert audit.by_class(np.arange(7)) == dict(zip(CLASSES, range(7), strict=True))
    with pytest.raises(ValueError, match="zip"):
        audit.by_class([1])


def test_long_lines_of_a_summary_are_wrapped_and_lists_indented():
    text = audit.summary({}, lines=["word " * 30, "- finding: " + "word " * 30], width=60)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 60
    assert [line[:2] for line in lines if line.startswith(("- ", "  "))] == ["- ", "  ", "  "]
