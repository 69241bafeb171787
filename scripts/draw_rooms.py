"""Draw docs/rooms.svg: the rooms of src/ferbench and which of them import which.

    python scripts/draw_rooms.py            # writes docs/rooms.svg
    python scripts/draw_rooms.py --check    # exits with 1 where that would change it

The picture comes from the import statements themselves. A room stands above all that it imports. An
arrow that follows from others is left out: where commands import gan and gan imports data, no arrow
leads from commands to data.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src" / "ferbench"
PICTURE = ROOT / "docs" / "rooms.svg"
# Started by its name (importlib), which no import statement shows.
BY_NAME = {"cli": {"commands"}}
WIDTH, BOX_WIDTH, BOX_HEIGHT, ROW_HEIGHT, MARGIN = 960, 112, 34, 92, 24
SWEEPS = 12  # of ordering the rooms of a row by what they import and are imported by

Graph = Mapping[str, frozenset[str]]


# --- imports -------------------------------------------------------------------------------------


def room_of(file: Path) -> str:
    """`data` for data/resize.py, `files` for files.py."""
    return file.relative_to(SRC).parts[0].removesuffix(".py")


def imported_rooms(file: Path) -> set[str]:
    """The rooms that a file imports, itself included where it imports its neighbors."""
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


def places(arrows: Graph, depth: Mapping[str, int]) -> dict[str, tuple[float, float]]:
    """{room: the middle of its box}; rooms of a row stand near what they import and serve."""
    rows: dict[int, list[str]] = {}
    for room in sorted(depth):
        rows.setdefault(depth[room], []).append(room)
    x = {room: _x(i, len(row)) for row in rows.values() for i, room in enumerate(row)}
    near = {room: set(arrows[room]) | {o for o in arrows if room in arrows[o]} for room in arrows}
    for sweep in range(SWEEPS):
        for level in sorted(rows, reverse=sweep % 2 == 1):
            row = rows[level]
            mean = {r: sum(x[o] for o in near[r]) / max(len(near[r]), 1) for r in row}
            row.sort(key=lambda room: (mean[room], room))
            x |= {room: _x(i, len(row)) for i, room in enumerate(row)}
    return {
        room: (x[room], MARGIN + BOX_HEIGHT / 2 + level * ROW_HEIGHT)
        for level, row in rows.items()
        for room in row
    }


def _x(i: int, count: int) -> float:
    return MARGIN + (WIDTH - 2 * MARGIN) * (i + 0.5) / count


def svg(imports: Graph) -> str:
    """The whole picture as SVG text."""
    arrows = reduced(imports)
    middle = places(arrows, depths(imports))
    bottom = max(y for _, y in middle.values()) + BOX_HEIGHT / 2 + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom:.0f}" '
        'font-family="sans-serif" font-size="14" role="img">',
        "<title>The rooms of src/ferbench; arrows lead from a room to what it imports</title>",
        f'<rect width="{WIDTH}" height="{bottom:.0f}" fill="white"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#666"/></marker></defs>',
        '<g fill="none" stroke="#666" stroke-width="1.2" marker-end="url(#tip)">',
    ]
    pairs = [(room, other) for room in sorted(arrows) for other in sorted(arrows[room])]
    parts += [_arrow(middle[room], middle[other]) for room, other in pairs]
    parts.append("</g>")
    parts += [_box(room, *middle[room]) for room in sorted(middle)]
    return "\n".join([*parts, "</svg>", ""])


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    x0, y0, x1, y1 = start[0], start[1] + BOX_HEIGHT / 2, end[0], end[1] - BOX_HEIGHT / 2 - 1
    bend = (y1 - y0) / 2
    curve = f"C{x0:.0f} {y0 + bend:.0f} {x1:.0f} {y1 - bend:.0f} {x1:.0f} {y1:.0f}"
    return f'<path d="M{x0:.0f} {y0:.0f}{curve}"/>'


def _box(room: str, x: float, y: float) -> str:
    left, top = x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2
    package = (SRC / room).is_dir()
    fill, name = ("#E8F1F8", f"{room}/") if package else ("#F2F2F2", f"{room}.py")
    return (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="4" '
        f'fill="{fill}" stroke="#0072B2"/>'
        f'<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle">{name}</text>'
    )


def main() -> None:
    """Write the picture, or compare it with what is there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if stale")
    check = parser.parse_args().check
    text = svg(graph())
    if not check:
        PICTURE.write_text(text, encoding="utf-8")
    elif not PICTURE.is_file() or PICTURE.read_text(encoding="utf-8") != text:
        raise SystemExit(f"{PICTURE.name} is stale; `python scripts/draw_rooms.py` draws it again")


if __name__ == "__main__":
    main()
