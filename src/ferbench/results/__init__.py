"""The table of results: typed rows, a CSV under a lock, and the table that people read."""

from ferbench.results.store import (
    FailedRun,
    Rebuilt,
    Row,
    RunRow,
    append_row,
    failed_runs,
    read_all,
    read_rows,
    rebuild,
    restore_row,
)

__all__ = [
    "FailedRun",
    "Rebuilt",
    "Row",
    "RunRow",
    "append_row",
    "failed_runs",
    "read_all",
    "read_rows",
    "rebuild",
    "restore_row",
]
