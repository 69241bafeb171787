"""Draw docs/rooms.svg: the packages of src/ferbench and which of them import which.

    python scripts/draw_rooms.py            # writes docs/rooms.svg
    python scripts/draw_rooms.py --check    # exits with 1 where that would change it

The picture comes from the import statements. A package (a room, below) stands above all that it
imports. Arrows that follow from others are left out, as one from commands to data beside gan.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src" / "ferbench"
PICTURE = ROOT / "docs" / "rooms.svg"
BY_NAME = {"cli": {"commands"}}  # imported by importlib, which no import statement shows
BOX_WIDTH, BOX_HEIGHT, ROW_HEIGHT, GAP, MARGIN = 108, 34, 86, 16, 16  # a point has no width
SWEEPS = 24  # of moving the nodes of a row towards what they import and are imported by

Graph = Mapping[str, frozenset[str]]
Node = tuple[str, int]  # a room in its row, or the way to a room through a row above it
Line = tuple[Node, Node]
Places = dict[Node, int]


# --- imports -------------------------------------------------------------------------------------


def room_of(file: Path) -> str:
    """`data` for data/resize.py, `files` for files.py."""
    return file.relative_to(SRC).parts[0].removesuffix(".py")


def imported_rooms(file: Path) -> set[str]:
    """The rooms that a file imports, its own among them where it imports its neighbors."""
    modules = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "ferbench":
            modules += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("ferbench."):
            modules.append(str(node.module).split(".")[1])
    return set(modules)


def graph() -> Graph:
    """{room: rooms that it imports}, for every room but the package's own __init__."""
    rooms: dict[str, set[str]] = {}
    for file in sorted(SRC.rglob("*.py")):
        if file != SRC / "__init__.py":
            rooms.setdefault(room_of(file), set()).update(imported_rooms(file))
    for room, others in BY_NAME.items():
        rooms[room] |= others
    return {room: frozenset((others & set(rooms)) - {room}) for room, others in rooms.items()}


def depths(imports: Graph) -> dict[str, int]:
    """The length of the longest way from the top down to each room; RecursionError for a circle."""

    @cache
    def depth(room: str) -> int:
        return max((depth(other) + 1 for other in imports if room in imports[other]), default=0)

    return {room: depth(room) for room in imports}


def reduced(imports: Graph) -> Graph:
    """The graph without the arrows that follow from others (its transitive reduction)."""

    @cache
    def below(room: str) -> frozenset[str]:
        return imports[room].union(*map(below, imports[room]))

    return {
        room: frozenset(
            other for other in others if not any(other in below(o) for o in others - {other})
        )
        for room, others in imports.items()
    }


# --- the picture ---------------------------------------------------------------------------------


def rows_of(arrows: Graph, depth: Mapping[str, int]) -> tuple[list[list[Node]], list[Line]]:
    """What stands in each row, from above, and the lines between neighboring rows.

    Arrows to a room several rows below pass a point in each row between, the same for all of them.
    """
    rows: list[list[Node]] = [[] for _ in range(max(depth.values()) + 1)]
    for room in sorted(depth):
        rows[depth[room]].append((room, depth[room]))
    lines: set[Line] = set()
    for start, end in ((one, other) for one in arrows for other in sorted(arrows[one])):
        points = [(end, level) for level in range(depth[start] + 1, depth[end] + 1)]
        for point in points:
            rows[point[1]] += [point] * (point not in rows[point[1]])
        lines |= set(pairwise([(start, depth[start]), *points]))
    return rows, sorted(lines)


def places(rows: list[list[Node]], lines: list[Line], depth: Mapping[str, int]) -> Places:
    """{node: x of its middle}: near those that lines join it to, boxes never over each other."""
    near: dict[Node, list[Node]] = {node: [] for row in rows for node in row}
    for start, end in lines:
        near[start].append(end)
        near[end].append(start)
    x = {node: i * BOX_WIDTH for row in rows for i, node in enumerate(row)}
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 else reversed(rows):
            mean = {node: sum(x[o] for o in near[node]) // max(len(near[node]), 1) for node in row}
            row.sort(key=lambda node: (mean[node], node))
            wide = [BOX_WIDTH if depth[node[0]] == node[1] else 0 for node in row]
            x |= zip(row, _apart([mean[node] for node in row], wide), strict=True)
    left = min(x.values()) - BOX_WIDTH // 2 - MARGIN
    return {node: middle - left for node, middle in x.items()}


def _apart(wanted: list[int], wide: list[int]) -> list[int]:
    """The middles of boxes in a row, as near to the wanted ones as their widths allow."""
    gaps = [(a + b) // 2 + GAP for a, b in pairwise(wide)]
    left, right = wanted[:1], wanted[-1:]
    for x, gap in zip(wanted[1:], gaps, strict=True):
        left.append(max(x, left[-1] + gap))
    for x, gap in zip(wanted[-2::-1], gaps[::-1], strict=True):
        right.append(min(x, right[-1] - gap))
    return [(a + b) // 2 for a, b in zip(left, right[::-1], strict=True)]


def svg(imports: Graph) -> str:
    """The whole picture as SVG text."""
    depth = depths(imports)
    rows, lines = rows_of(reduced(imports), depth)
    x = places(rows, lines, depth)
    right, bottom = max(x.values()) + BOX_WIDTH // 2 + MARGIN, _top(len(rows)) - BOX_HEIGHT
    boxes = depth.items()
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right} {bottom}" '
            'font-family="sans-serif" font-size="14" role="img">',
            "<title>The packages of src/ferbench; arrows lead to what a package imports</title>",
            f'<rect width="{right}" height="{bottom}" fill="white"/>',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#666"/></marker></defs>',
            '<g fill="none" stroke="#666" stroke-width="1.2">',
            *(_line(x, start, end, end in boxes) for start, end in lines),
            *(_point(x[node], node[1]) for node in sorted(x.keys() - boxes)),
            "</g>",
            *(_box(room, x[room, level], level) for room, level in sorted(boxes)),
            "</svg>\n",
        ]
    )


def _top(level: int) -> int:
    return MARGIN + level * ROW_HEIGHT


def _line(x: Places, start: Node, end: Node, arrives: bool) -> str:
    """From below a node to above one in the next row, with a tip where that is a box."""
    x0, y0, x1, y1 = x[start], _top(start[1]) + BOX_HEIGHT, x[end], _top(end[1]) - arrives
    half = (y0 + y1) // 2
    tip = ' marker-end="url(#tip)"' if arrives else ""
    curve = f"C{x0} {half} {x1} {half} {x1} {y1}"
    return f'<path d="M{x0} {y0}{curve}"{tip}/>'


def _point(x: int, level: int) -> str:
    """The way of a line through a row that it passes."""
    return f'<path d="M{x} {_top(level)}v{BOX_HEIGHT}"/>'


def _box(room: str, x: int, level: int) -> str:
    package = (SRC / room).is_dir()
    fill, name = ("#E8F1F8", f"{room}/") if package else ("#F2F2F2", f"{room}.py")
    return (
        f'<rect x="{x - BOX_WIDTH // 2}" y="{_top(level)}" width="{BOX_WIDTH}" '
        f'height="{BOX_HEIGHT}" rx="4" fill="{fill}" stroke="#0072B2"/>'
        f'<text x="{x}" y="{_top(level) + 22}" text-anchor="middle">{name}</text>'
    )


def main() -> None:
    """Write the picture, or compare it with what is there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if stale")
    text = svg(graph())
    if not parser.parse_args().check:
        PICTURE.write_text(text, encoding="utf-8")
    elif not PICTURE.is_file() or PICTURE.read_text(encoding="utf-8") != text:
        raise SystemExit(f"{PICTURE.name} is stale; `python scripts/draw_rooms.py` draws it again")


if __name__ == "__main__":
    main()
