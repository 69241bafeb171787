"""`ferbench table`: the metrics table for people, papers and spreadsheets."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from ferbench import results
from ferbench.config.commands import Table
from ferbench.results import show


def run(job: Table) -> None:
    """Print the table, or the runs that failed; make the table again first if asked."""
    outputs = Path(job.outputs)
    path = outputs / "metrics.csv"
    if job.rebuild:
        made = results.rebuild(outputs, path)
        print(f"{path}: {made.rows} rows from the runs' folders", file=sys.stderr)
        for line in made.skipped:
            print(f"skipped {line}", file=sys.stderr)
    if job.failed:
        print(show.show_failed(results.failed_runs(outputs)), end="")
        return
    columns = [name.strip() for name in (job.columns or "").split(",") if name.strip()]
    text = show.show(
        results.read_all(path),
        kind=job.kind or "",
        where=job.where or "",
        sort=job.sort or "",
        format=job.format,
        group=job.group,
        columns=columns,
        width=shutil.get_terminal_size((100, 24)).columns,
    )
    print(text, end="")
