"""Reports for people: one list of blocks, written as Markdown and as one self-contained HTML file.

    report.write(folder, "Fidelity of set x", [
        Heading("Values"), Text("Lower is *nearer*; see `docs/metrics.md`."),
        Table(["metric", "set"], [["FID", "3.2"]], note="n = 28,709"),
        Figure(folder / "pca.png", "The two largest principal components."),
        Code("ferbench fidelity set=x")])

In texts, table cells, notes and captions `code` and *emphasis* are marked as here; everything else
stands as it is written, whatever it holds.
"""

from __future__ import annotations

import base64
import html as markup
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferbench.files import write_whole
from ferbench.report import grid
from ferbench.report.grid import Cell, Grid

MARKDOWN, HTML = "report.md", "report.html"


@dataclass(frozen=True)
class Heading:
    """A section's title; level 2, or 3 for a part of a section."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """One paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """Cells as text, lines of one length; the first `leading` columns name a line."""

    columns: Sequence[str]
    lines: Sequence[Sequence[str]]
    note: str = ""
    leading: int = 1

    def __post_init__(self) -> None:
        assert all(len(line) == len(self.columns) for line in self.lines), self.columns

    def grid(self, heading: str = "") -> Grid:
        """The table for `ferbench.report.grid`, which writes it; its note is the caller's."""
        return Grid(
            heading=heading,
            note="",
            columns=list(self.columns),
            lines=[[Cell(cell) for cell in line] for line in self.lines],
            numeric=[j >= self.leading for j in range(len(self.columns))],
            best=set(),
            leading=self.leading,
            missing="",
        )


@dataclass(frozen=True)
class Figure:
    """A PNG: by its name in the Markdown, which lies beside it, and whole in the HTML."""

    path: Path
    caption: str


@dataclass(frozen=True)
class Code:
    """Lines as they stand, such as commands."""

    text: str


Block = Heading | Text | Table | Figure | Code


def write(folder: Path, title: str, blocks: Sequence[Block]) -> None:
    """report.md and report.html in `folder`, which holds the figures."""
    _write(folder / MARKDOWN, markdown(title, blocks))
    _write(folder / HTML, page(title, blocks))


def _write(path: Path, text: str) -> None:
    write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))


# --- Markdown ------------------------------------------------------------------------------------


def markdown(title: str, blocks: Sequence[Block]) -> str:
    """The report as Markdown; figures are named without their folder."""
    parts = [f"# {_marked(title)}", *map(_markdown, blocks)]
    return "\n\n".join(parts) + "\n"


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_marked(block.text)}"
    if isinstance(block, Text):
        return _marked(block.text)
    if isinstance(block, Figure):
        return f"![{_marked(block.caption)}]({block.path.name})\n\n{_marked(block.caption)}"
    if isinstance(block, Code):
        return f"```\n{block.text.strip()}\n```"
    note = ["", _marked(block.note)] if block.note else []
    return "\n".join([*grid.markdown_lines(block.grid(), _marked), *note])


def _marked(text: str) -> str:
    """One line of Markdown: our two marks kept, its other characters escaped."""

    def code(plain: str) -> str:
        return f"`{plain.replace('|', chr(92) + '|')}`"

    return _each(text, grid.escape_markdown, code=code, emphasis="*{}*")


# --- HTML ----------------------------------------------------------------------------------------

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 62em;
       margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; overflow-wrap: anywhere; }
h2 { margin-top: 2em; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; margin: 1em 0; font-size: 0.95em;
        font-variant-numeric: tabular-nums; }
th, td { padding: 0.25em 0.65em; border-bottom: 1px solid #e4e4e4; text-align: right; }
th { border-bottom: 2px solid #888; vertical-align: bottom; } .name { text-align: left; }
.note, figcaption { color: #555; font-size: 0.9em; } figure { margin: 1.5em 0; }
img { max-width: 100%; }
pre { background: #f4f4f4; padding: 0.8em; white-space: pre-wrap; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
@page { size: A4; margin: 14mm; }
@media print {
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt; }
  h2, h3 { break-after: avoid; margin-top: 1.2em; }
  table { font-size: 8pt; max-width: 100%; }
  th, td { padding: 0.2em 0.4em; }
  .many th, .many td { font-size: 7pt; padding: 0.15em 0.25em; }
  .name { overflow-wrap: anywhere; }
  .wide { overflow: visible; }
  thead { display: table-header-group; }
  tr, figure, .note, pre, .short table { break-inside: avoid; }
  img { max-height: 230mm; }
  a { color: inherit; text-decoration: none; }
}
"""
FEW_LINES = 15  # of a table, up to which it stands on one page
MANY_COLUMNS = 8  # of a table, from which it is set smaller on paper


def page(title: str, blocks: Sequence[Block]) -> str:
    """The report as one HTML page that needs nothing else: style and pictures are in it."""
    body = "\n".join([f"<h1>{_inline(title)}</h1>", *map(_html, blocks)])
    head = f'<meta charset="utf-8">\n<title>{markup.escape(title)}</title>\n<style>{STYLE}</style>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    lines = ["<!doctype html>", '<html lang="en">', "<head>", head, view, "</head>"]
    return "\n".join([*lines, "<body>", body, "</body>", "</html>", ""])


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{_inline(block.text)}</h{block.level}>"
    if isinstance(block, Text):
        return f"<p>{_inline(block.text)}</p>"
    if isinstance(block, Figure):
        picture = base64.b64encode(block.path.read_bytes()).decode("ascii")
        caption, plain = _inline(block.caption), markup.escape(block.caption)
        image = f'<img alt="{plain}" src="data:image/png;base64,{picture}">'
        return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
    if isinstance(block, Code):
        return f"<pre>{markup.escape(block.text.strip())}</pre>"
    note = f'<p class="note">{_inline(block.note)}</p>' if block.note else ""
    kind = "wide" + " many" * (len(block.columns) >= MANY_COLUMNS)
    kind += " short" * (len(block.lines) <= FEW_LINES)
    return f'<div class="{kind}">{grid.html(block.grid(), _inline)}</div>{note}'


def _inline(text: str) -> str:
    return _each(
        text,
        markup.escape,
        code=lambda t: f"<code>{markup.escape(t)}</code>",
        emphasis="<em>{}</em>",
    )


_MARKS = re.compile(r"`([^`]+)`|(?<![\w*])\*([^*\s](?:[^*]*[^*\s])?)\*(?![\w*])")


def _each(
    text: str, plain: Callable[[str], str], *, code: Callable[[str], str], emphasis: str
) -> str:
    """The text on one line, its marks and what stands between them written by the functions."""
    line, at, parts = " ".join(text.split()), 0, []
    for mark in _MARKS.finditer(line):
        parts.append(plain(line[at : mark.start()]))
        parts.append(code(mark[1]) if mark[1] else emphasis.format(plain(mark[2])))
        at = mark.end()
    return "".join([*parts, plain(line[at:])])
