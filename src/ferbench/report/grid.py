"""How a table looks: fixed width for the terminal, Markdown, LaTeX, HTML.

The only writer of tables: those of results and those of reports.
"""

from __future__ import annotations

import html as markup
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

GAP = "  "


@dataclass(frozen=True)
class Cell:
    """A value as text and its spread ("" if it has none)."""

    text: str
    spread: str = ""


@dataclass(frozen=True)
class Grid:
    """A table ready to print.

    columns: names; lines: one list of cells a line; numeric: whether a column is right-aligned;
    best: (line, column) to mark; leading: how many columns name a line and may not be left out;
    missing: what stands in an empty cell.
    """

    heading: str
    note: str
    columns: list[str]
    lines: list[list[Cell]]
    numeric: list[bool]
    best: set[tuple[int, int]]
    leading: int
    missing: str = "-"


# --- terminal ------------------------------------------------------------------------------------


def terminal(grid: Grid, width: int) -> str:
    """Aligned plain text; columns on the right that do not fit into `width` are named below."""
    columns = [_terminal_column(grid, j) for j in range(len(grid.columns))]
    fit = len(columns)
    while fit > grid.leading + 1 and len(GAP.join(c[-1] for c in columns[:fit])) > width:
        fit -= 1
    lines = [GAP.join(cells).rstrip() for cells in zip(*columns[:fit], strict=True)]
    depth = len(lines) - len(grid.lines)
    rule = "-" * max(map(len, lines))
    title = grid.heading + (f" ({grid.note})" if grid.note else "")
    left = ", ".join(grid.columns[fit:])
    more = [f"not shown for want of width: {left}"] if left else []
    return "\n".join([title, rule, *lines[:depth], rule, *lines[depth:], rule, *more, ""])


def _terminal_column(grid: Grid, j: int) -> list[str]:
    """All lines of column j in one width: the name, a word a line, at the bottom; then the cells.

    Spreads are padded, so that the means stand below each other.
    """
    cells = [line[j] for line in grid.lines]
    spreads = [f"±{cell.spread}" if cell.spread else "" for cell in cells]
    tail = max(map(len, spreads))
    texts = [
        (cell.text or grid.missing) + s.ljust(tail) for cell, s in zip(cells, spreads, strict=True)
    ]
    depth = max(name.count("_") for name in grid.columns) + 1
    words = grid.columns[j].split("_")
    texts = [""] * (depth - len(words)) + words + texts
    size = max(map(len, texts))
    return [text.rjust(size) if grid.numeric[j] else text.ljust(size) for text in texts]


# --- Markdown ------------------------------------------------------------------------------------


def markdown(grid: Grid, width: int) -> str:
    """A Markdown table under a heading, the best in bold; `width` plays no part."""
    note = [f"{grid.note[0].upper()}{grid.note[1:]}.", ""] if grid.note else []
    spaced = replace(grid, columns=[name.replace("_", " ") for name in grid.columns])
    return "\n".join([f"### {grid.heading}", "", *note, *markdown_lines(spaced), ""])


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it stands here, in a table too."""
    return re.sub(r"([\\|*_`<\[#])", r"\\\1", text)


def markdown_lines(grid: Grid, write: Callable[[str], str] = escape_markdown) -> list[str]:
    """The table alone, a line each; write: makes Markdown of a name or of a cell's text."""
    names = [write(name) for name in grid.columns]
    rule = ["---:" if numeric else ":---" for numeric in grid.numeric]
    cells = [
        [_markdown_cell(cell, (i, j) in grid.best, grid, write) for j, cell in enumerate(line)]
        for i, line in enumerate(grid.lines)
    ]
    return [f"| {' | '.join(texts)} |" for texts in (names, rule, *cells)]


def _markdown_cell(cell: Cell, best: bool, grid: Grid, write: Callable[[str], str]) -> str:
    text = write(cell.text) or grid.missing
    text += f" ± {cell.spread}" if cell.spread else ""
    return f"**{text}**" if best else text


# --- HTML ----------------------------------------------------------------------------------------


def html(grid: Grid, write: Callable[[str], str] = markup.escape) -> str:
    """The table as a <table>, the best in bold; write: makes HTML of a name or of a cell's text.

    Columns of text get the class "name"; a table whose columns have no names has no head. Numbers
    are broken before a bracket only.
    """
    names = [write(name) for name in grid.columns]
    head = f"<thead>{_html_row(names, 'th', grid)}</thead>\n" if any(names) else ""
    lines = []
    for i, line in enumerate(grid.lines):
        texts = [_html_cell(cell, (i, j) in grid.best, grid, write) for j, cell in enumerate(line)]
        kept = [
            re.sub(r" (?!\()", "\u00a0", text) if numeric else text
            for text, numeric in zip(texts, grid.numeric, strict=True)
        ]
        lines.append(_html_row(kept, "td", grid))
    body = "\n".join(lines)
    return f"<table>{head}<tbody>{body}</tbody></table>"


def _html_row(texts: list[str], tag: str, grid: Grid) -> str:
    kinds = ["" if numeric else ' class="name"' for numeric in grid.numeric]
    cells = zip(kinds, texts, strict=True)
    return f"<tr>{''.join(f'<{tag}{kind}>{text}</{tag}>' for kind, text in cells)}</tr>"


def _html_cell(cell: Cell, best: bool, grid: Grid, write: Callable[[str], str]) -> str:
    text = write(cell.text) or grid.missing
    text += f" ± {cell.spread}" if cell.spread else ""
    return f"<strong>{text}</strong>" if best else text


# --- LaTeX ---------------------------------------------------------------------------------------


def latex(grid: Grid, width: int) -> str:
    """A LaTeX table for the package booktabs, the best in bold; `width` plays no part."""
    lines = [
        [_latex_cell(cell, (i, j) in grid.best, grid) for j, cell in enumerate(line)]
        for i, line in enumerate(grid.lines)
    ]
    names = [escape_latex(name.replace("_", " ")) for name in grid.columns]
    note = f" {grid.note[0].upper()}{grid.note[1:]}." if grid.note else ""
    align = "".join("r" if numeric else "l" for numeric in grid.numeric)
    body = [f"    {' & '.join(cells)} \\\\" for cells in (names, *lines)]
    return "\n".join(
        [
            r"\begin{table}  % needs \usepackage{booktabs}",
            r"  \centering",
            rf"  \caption{{{escape_latex(grid.heading + '.' + note)}}}",
            rf"  \begin{{tabular}}{{{align}}}",
            r"    \toprule",
            body[0],
            r"    \midrule",
            *body[1:],
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _latex_cell(cell: Cell, best: bool, grid: Grid) -> str:
    text = escape_latex(cell.text) or grid.missing.replace("-", "--")  # a dash, not a hyphen
    text += rf" $\pm$ {cell.spread}" if cell.spread else ""
    return rf"\textbf{{{text}}}" if best else text


_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
}


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands here."""
    return "".join(_LATEX.get(character, character) for character in text)


# --- numbers and layouts -------------------------------------------------------------------------


def three_digits(value: float) -> str:
    """Three significant digits as a plain number, six decimals at most: 1234, 12.3, 0.00123."""
    if value == 0:
        return "0"
    decimals = 2 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(max(decimals, 0), 6)}f}"


LAYOUTS: dict[str, Callable[[Grid, int], str]] = {
    "terminal": terminal,
    "markdown": markdown,
    "latex": latex,
}
