"""`ferbench table`: the tables of results for people, papers and spreadsheets."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

from ferbench import results
from ferbench.config.commands import Table
from ferbench.errors import one_of
from ferbench.results import settings, show
from ferbench.results.show import Choice

ALL = "all"  # kind=all: every table that has rows


def run(job: Table) -> None:
    """Print a table, or the runs that failed; make the tables again first if asked."""
    outputs = Path(job.outputs)
    results.require_folder(outputs)
    if job.rebuild:
        _rebuild(outputs)
    if job.failed:
        print(show.show_failed(results.failed_runs(outputs)), end="")
        return
    one_of("kind", job.kind, (*results.KINDS, ALL))
    kinds = list(results.KINDS) if job.kind == ALL else [job.kind]
    rows = {kind: results.read(outputs, results.kind_named(kind).record) for kind in kinds}
    print(show.show(rows, _choice(job), partial(settings.read, outputs)), end="")
    others = [kind for kind in results.kinds_with_rows(outputs) if kind not in kinds]
    if others and job.format == "terminal":
        print(f"more tables: {', '.join(f'kind={kind}' for kind in others)}")


def _rebuild(outputs: Path) -> None:
    made = results.rebuild(outputs)
    for table, count in made.rows.items():
        print(f"{table}: {count} rows from the runs' folders", file=sys.stderr)
    for line in made.skipped:
        print(f"skipped {line}", file=sys.stderr)


def _choice(job: Table) -> Choice:
    names = [name.strip() for name in (job.columns or "").split(",")]
    return Choice(
        where=job.where or "",
        sort=job.sort or "",
        columns=tuple(name for name in names if name),
        group=job.group,
        format=job.format,
        width=shutil.get_terminal_size((100, 24)).columns,
    )
