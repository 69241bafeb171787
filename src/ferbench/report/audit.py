"""What the reports of measurements share: their order, the terminal's summary, JSON.

context = audit.Context(facts={"set": "...", "software": audit.software(environment)},
                        figures=figures, command=audit.command_line("bias", {"set": "x"}))
report.write(folder, "Bias of x", audit.blocks(context, tables, advice=advice))
print(audit.summary({"Attributes": table}, lines=audit.advice_lines(advice)))
save_json(folder / "metrics.json", audit.plain(findings))
"""

from __future__ import annotations

import math
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.classes import CLASSES
from ferbench.report.blocks import Block, Code, Figure, Heading, Table, Text
from ferbench.report.grid import terminal

WIDE = 200  # characters: at this width no table is cut
NOTE_WIDTH = 100  # characters: longer lines of text are hard to read
READ_ON = "`docs/metrics.md` defines every number; all of them stand in `metrics.json`."

UNBROKEN: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}

Advice = Sequence[tuple[str, str]]  # (what was found, what to do about it)


@dataclass(frozen=True)
class Context:
    """What a report says besides the numbers.

    facts: what was compared with what, by name; notes: what else the reader must know; figures:
    with their captions; command: the line that repeats the run.
    """

    facts: Mapping[str, str]
    figures: Sequence[Figure]
    command: str
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """The result in a word or two, and the sentences that say why."""

    level: str
    reasons: Sequence[str]


# --- the report ----------------------------------------------------------------------------------


def blocks(
    context: Context,
    results: Sequence[Block],
    *,
    verdict: Verdict | None = None,
    advice: Advice | None = None,
    method: Sequence[Block] = (),
    closing: Sequence[Block] = (Text(READ_ON),),
) -> list[Block]:
    """A report in the order that all have: verdict, facts, advice, results, figures, method.

    advice: None where none is given at all. closing: what stands below the command at the end.
    Sections without content are left out.
    """
    return [
        *_verdict(verdict),
        *map(Text, context.notes),
        *_facts(context.facts),
        *_advice(advice),
        *results,
        *_section("Figures", context.figures),
        *_section("Method", method),
        *_section("To repeat it", [Code(context.command), *closing]),
    ]


def _verdict(verdict: Verdict | None) -> list[Block]:
    if verdict is None:
        return []
    return [Text(f"*Verdict: {verdict.level}.*"), *map(Text, verdict.reasons)]


def _facts(facts: Mapping[str, str]) -> list[Block]:
    lines = [[name, value] for name, value in facts.items()]
    return _section("What was compared", [Table(["", ""], lines, leading=2)] if lines else [])


def _advice(advice: Advice | None) -> list[Block]:
    if advice is None:
        return []
    if not advice:
        return [Heading("What to do"), Text("Nothing was found that calls for action.")]
    table = Table(["finding", "what to do about it"], [list(line) for line in advice], leading=2)
    return [Heading("What to do"), table]


def _section(title: str, content: Sequence[Block]) -> list[Block]:
    return [Heading(title), *content] if content else []


# --- facts about a run ---------------------------------------------------------------------------


def software(environment: Mapping[str, Any]) -> str:
    """`ferbench 1.0, torch 2.5.1, on a CPU`, from `runs.environment`."""
    versions = f"ferbench {environment['code_version']}, torch {environment['packages']['torch']}"
    return f"{versions}, on {environment['hardware']}"


def image_set(name: str, images: int, hash: str, *, details: str = "") -> str:
    """A set of images in one line: its name, size and the beginning of its hash."""
    count = f"{images:,} images" + (f" ({details})" if details else "")
    return f"`{name}`, {count}, hash `{hash[:12]}`"


def generator(facts: Mapping[str, Any]) -> str:
    """Which generator made a set, from the facts of its manifest; "-" where none did."""
    known = [f"{key} {facts[key]}" for key in ("kimg", "data", "source") if key in facts]
    return ", ".join(known) or "-"


def command_line(command: str, words: Mapping[str, Any]) -> str:
    """`ferbench COMMAND key=value ...` for a shell; words without a value (None) are left out."""
    given = [f"{key}={value}" for key, value in words.items() if value is not None]
    return shlex.join(["ferbench", *command.split(), *given])


# --- the terminal --------------------------------------------------------------------------------


def summary(
    tables: Mapping[str, Table], *, lines: Iterable[str] = (), width: int | None = None
) -> str:
    """Tables under their titles, aligned, each with its note; then further lines, wrapped.

    width: characters of the terminal; columns that do not fit are named below the table. None:
    those of the terminal at hand, and all columns where there is none.
    """
    if width is None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE
    texts = [_terminal(title, table, width) for title, table in tables.items()]
    return "\n".join([*texts, *(_wrapped(line, min(width, NOTE_WIDTH)) for line in lines)])


def _wrapped(line: str, width: int) -> str:
    """A line of text within the width; what belongs to a list stays indented."""
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, width, subsequent_indent=indent, **UNBROKEN)


def _terminal(title: str, table: Table, width: int) -> str:
    note = textwrap.fill(table.note, min(width, NOTE_WIDTH))
    return terminal(table.grid(title), width) + (f"{note}\n" if note else "")


def advice_lines(advice: Advice) -> list[str]:
    """The advice for the terminal, a line each."""
    if not advice:
        return ["- nothing was found that calls for action"]
    return [f"- {finding}: {action}" for finding, action in advice]


# --- JSON ----------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """The value as JSON can hold it: dataclasses and mappings as objects, arrays as lists.

    A number that is NaN or infinite becomes None, a tuple a list, a path its text.
    """
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def by_class(values: Iterable[Any]) -> dict[str, Any]:
    """One value a class, by the classes' names, as JSON can hold them."""
    return {name: plain(value) for name, value in zip(CLASSES, values, strict=True)}
