"""The tables of results: typed rows, a CSV a kind under a lock, and the tables that people read."""

from ferbench.results.kinds import KINDS, kind_of_command
from ferbench.results.run_files import FailedRun, Rebuilt, failed_runs, rebuild
from ferbench.results.store import (
    append,
    kind_named,
    kinds_with_rows,
    read,
    read_frame,
    require_folder,
    require_table,
    restore,
)

__all__ = [
    "KINDS",
    "FailedRun",
    "Rebuilt",
    "append",
    "failed_runs",
    "kind_named",
    "kind_of_command",
    "kinds_with_rows",
    "read",
    "read_frame",
    "rebuild",
    "require_folder",
    "require_table",
    "restore",
]
