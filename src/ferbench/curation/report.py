"""A curation for people: what each step dropped, for the terminal."""

from __future__ import annotations

from ferbench.classes import CLASSES
from ferbench.curation.findings import Curated, Step


def summary(curated: Curated) -> str:
    """The pool, the change of each step by class, the set; then what is missing, if anything."""
    lines = _table(curated.steps)
    if curated.missing:
        missing = ", ".join(f"{name} {count:,}" for name, count in curated.missing.items())
        lines.append(f"short: {len(curated.rows):,} images; missing: {missing}")
    return "\n".join(lines)


def _table(steps: list[Step]) -> list[str]:
    counts = [[*step.counts.values(), sum(step.counts.values())] for step in steps]
    lines = ["".join([f"{'':<17}", *(f"{name:>9}" for name in (*CLASSES, "all"))])]
    lines.append(_line(steps[0].name, counts[0]))
    for i, step in enumerate(steps[1:], start=1):
        changes = [now - before for now, before in zip(counts[i], counts[i - 1], strict=True)]
        lines.append(_line(step.name, changes, "+"))
    return [*lines, _line("set", counts[-1])]


def _line(name: str, numbers: list[int], sign: str = "") -> str:
    return "".join([f"{name:<17}", *(f"{n:>{sign}9,}" for n in numbers)])
