"""The report of a study: question, setting, tables, comparisons, figures, sheets, commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from ferbench import report, runs
from ferbench.report import Block, Code, Heading, Text, audit
from ferbench.study import figures, tables
from ferbench.study.findings import Findings
from ferbench.study.ledger import Progress, in_words
from ferbench.study.plan import SCORES, Study


def write(
    folder: Path, study: Study, progress: Progress, findings: Findings, *, command: str
) -> None:
    """report.md and report.html of what is done so far, with their figures.

    command: what made the study, for the reader to do it again.
    """
    context = audit.Context(
        facts=_facts(study, progress, findings),
        figures=list(figures.draw(folder, study, findings)),
        command=command,
        notes=[text for text in (study.question, *study.notes) if text],
    )
    results = list(_results(study, findings))
    blocks = audit.blocks(context, results, closing=_runs(progress))
    report.write(folder, study.title, blocks)


def summary(findings: Findings) -> list[str]:
    """The comparisons for the terminal, a line each."""
    return [
        f"{one.cell.label} against {one.other.label}: {tables.points_text(one.difference)} points "
        f"({tables.interval_text(one.difference)}): {one.verdict}"
        for one in findings.differences
    ]


def _facts(study: Study, progress: Progress, findings: Findings) -> dict[str, str]:
    """What was compared, on which machine, and what is missing."""
    facts = {
        "budget": f"{study.budget}{': ' + study.budget_note if study.budget_note else ''}",
        "seeds of the classifiers": ", ".join(map(str, study.seeds)),
    }
    rows = [row for result in findings.results.values() for row in result.rows.values()]
    if rows:
        tests = {
            f"{row['test_data']} {row['test_split']} ({row['n_test']:,} images)" for row in rows
        }
        machines = {f"{row['hardware']}, torch {row['torch']}" for row in rows}
        facts["tested on"] = f"{', '.join(sorted(tests))}; the epoch is chosen on PublicTest"
        facts["hardware"] = "; ".join(sorted(machines))
        facts["running time"] = in_words(sum(one.seconds for one in progress.entries.values()))
    if progress.left:
        facts["not finished"] = _missing(study, progress, findings)
    return facts


def _missing(study: Study, progress: Progress, findings: Findings) -> str:
    without = [cell.label for cell in study.cells if cell.id not in findings.results]
    cells = f"; cells without any: {', '.join(without)}" if without else ""
    return f"{len(progress.left)} of {len(progress.tasks)} runs are missing{cells}"


def _results(study: Study, findings: Findings) -> Iterator[Block]:
    yield Heading("Results")
    if findings.results:
        yield tables.results_table(findings)
    else:
        yield Text("No classifier is done yet.")
    for column in study.pivot.get("scores", SCORES[:2]) if study.pivot else ():
        yield Heading(tables.NAMES[column], 3)
        yield tables.pivot_table(study, findings, column)
    if findings.differences:
        yield Heading("Differences")
        yield tables.differences_table(study, findings)
    if findings.sets:
        yield Heading("Synthetic sets")
        yield tables.sets_table(findings.sets)


def _runs(progress: Progress) -> list[Block]:
    """How to do every run again by itself."""
    entries = [progress.entries.get(task.id) for task in progress.tasks]
    lines = [shlex.join(["ferbench", one.command, *one.words]) for one in entries if one]
    return [
        Text(f"Its runs (code {runs.code_version()}):"),
        Code("\n".join(lines) or "none yet"),
        Text("All numbers stand in `metrics.json`."),
    ]
