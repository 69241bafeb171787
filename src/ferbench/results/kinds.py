"""Every kind of measurement that has a table. A new one takes a file in rows/ and its name here."""

from __future__ import annotations

from ferbench.results.kind import Kind
from ferbench.results.row import RunRow
from ferbench.results.rows import (
    audit,
    audit_data,
    bias,
    classify,
    curate,
    fidelity,
)

_FILES = (
    classify,
    fidelity,
    audit,
    audit_data,
    bias,
    curate,
)
KINDS: dict[str, Kind] = {file.KIND.name: file.KIND for file in _FILES}


def kind_of_record(record: type[RunRow]) -> Kind:
    """The kind of these records; KeyError if it has no table."""
    return {kind.record: kind for kind in KINDS.values()}[record]


def kind_of_command(command: str) -> Kind:
    """The kind of the records that a command writes; ValueError if it writes none."""
    for kind in KINDS.values():
        if command in kind.commands:
            return kind
    known = ", ".join(name for kind in KINDS.values() for name in kind.commands)
    raise ValueError(f"command={command}: unknown; expected one of {known}")
