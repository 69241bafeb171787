"""Checks of single config values; each raises a UserError that names the key."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable

from ferbench.errors import UserError


def one_of(key: str, value: str, allowed: Iterable[str]) -> None:
    """Refuse a value that is not in `allowed`, with the nearest ones."""
    options = list(allowed)
    if value not in options:
        raise UserError(f"{key}={value}: unknown; {nearest(value, options)}")


def at_least(key: str, value: float, low: float) -> None:
    """Refuse a value below `low`, or not finite."""
    if not (math.isfinite(value) and value >= low):
        raise UserError(f"{key}={value}: expected at least {low}")


def between(key: str, value: float, low: float, high: float) -> None:
    """Refuse a value outside [low, high]."""
    if not low <= value <= high:
        raise UserError(f"{key}={value}: expected a value from {low} to {high}")


def nearest(word: str, options: Iterable[str]) -> str:
    """`did you mean a, b?`, or the whole list where it is short or nothing is near."""
    known = sorted(set(options))
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    if near:
        return f"did you mean {', '.join(near)}?"
    return f"expected one of {', '.join(known)}"
