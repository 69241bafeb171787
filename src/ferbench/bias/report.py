"""The report of a set's or a classifier's bias, and the summary in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench.bias import advice, tables
from ferbench.bias.computed import MEANING
from ferbench.bias.findings import Findings
from ferbench.report import Block, Heading, Table, Text, audit

READ_ON = (
    "`docs/bias.md` has the formulas and their limits, `docs/metrics.md` the columns of the table; "
    "all numbers stand in `metrics.json`."
)
ATTRIBUTES = (
    "These attributes are computed from pixels or come from the file given; no age, sex or skin "
    "color is guessed from an image."
)
ALONE = "These are the real Training images, so there is nothing to compare with."
COMPARISON = (
    "*Distance*: how differently the attribute is distributed here and in the real Training "
    "images, at equal shares of the classes. *Association*: how strongly class and "
    "attribute are associated. *Amplification*: how much stronger that is here than in the real "
    "images; an interval that contains 0 is noise."
)
GROUPS = (
    "Groups of computed attributes are quantiles of the real Training images. *By chance*: the gap "
    "that 95 % of draws stay below in which the images of each class are assigned to the groups at "
    "random; a smaller gap means nothing. There are many attributes, and one in twenty exceeds "
    "that value by luck."
)


def summary(findings: Findings) -> str:
    """The main tables and the advice, for the terminal."""
    shown = {"Attributes": tables.attributes_table(findings.attributes)}
    if findings.groups:
        shown["Gaps between groups"] = tables.gaps_table(findings.groups)
    return audit.summary(shown, lines=audit.advice_lines(advice.lines(findings)))


def blocks(findings: Findings, context: audit.Context) -> list[Block]:
    """The report; context: what was compared with what, figures, how to repeat it."""
    results = [
        *_groups(findings),
        Heading("Classes"),
        tables.classes_table(findings),
        *_attributes(findings),
    ]
    closing = [Text(READ_ON)]
    return audit.blocks(context, results, advice=advice.lines(findings), closing=closing)


def _groups(findings: Findings) -> Iterator[Block]:
    """The classifier's scores by group, where there is a classifier."""
    if not findings.groups:
        return
    yield Heading("The classifier, group by group")
    yield Text(GROUPS)
    yield tables.gaps_table(findings.groups)
    for scores in findings.groups:
        yield Heading(scores.attribute.name, level=3)
        yield tables.groups_table(scores, findings.min_count)


def _attributes(findings: Findings) -> Iterator[Block]:
    yield Heading("Attributes")
    blank = f"{findings.blank} blank images have no computed attributes." if findings.blank else ""
    reading = ALONE if findings.is_reference else COMPARISON
    yield Text(f"{ATTRIBUTES} {blank} {reading}")
    yield tables.attributes_table(findings.attributes)
    names = [one.attribute.name for one in findings.attributes]
    meanings = [[name, MEANING.get(name, "given in the file")] for name in names]
    yield Table(["attribute", "what it is"], meanings, leading=2)
    for one in findings.attributes:
        if one.attribute.given:
            yield Heading(f"{one.attribute.name} and class", level=3)
            yield tables.npmi_table(one)
