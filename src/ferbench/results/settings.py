"""The keys of the command line that tell runs apart where the columns of a table do not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

PARTS = ("settings", "sources")  # of run.json: keys that change a result, and what was read
MOST = 5  # keys that are printed
HASH = re.compile(r"_[0-9a-f]{8}(?=[_-]|$)")  # in the name of a run's folder


def read(outputs: Path, run: str) -> dict[str, dict[str, Any]]:
    """The keys that the run.json of a run keeps, by part; none where there is no such file."""
    try:
        facts = json.loads((outputs / run / "run.json").read_text(encoding="utf-8"))
        return {part: dict(facts[part]) for part in PARTS}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {part: {} for part in PARTS}


def differences(runs: Sequence[Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """For each run the keys that differ, as `model.width=8, train.epochs=2`; "" for none.

    What was read is named only where the settings do not tell the runs apart.
    """
    texts = [""] * len(runs)
    for part in PARTS:
        keys = _differing([run.get(part, {}) for run in runs])
        if keys and len(set(texts)) < len(runs):
            own = [_text(run.get(part, {}), keys) for run in runs]
            short = [HASH.sub("", text) for text in own]
            own = short if len(set(short)) == len(set(own)) else own
            texts = [", ".join(filter(None, pair)) for pair in zip(texts, own, strict=True)]
    return texts


def _differing(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = dict.fromkeys(key for run in runs for key in run)
    return [key for key in keys if any(run.get(key) != runs[0].get(key) for run in runs)]


def _text(run: Mapping[str, Any], keys: Sequence[str]) -> str:
    words = [f"{key}={_value(run.get(key))}" for key in keys[:MOST]]
    return ", ".join([*words, *["..."] * (len(keys) > MOST)])


def _value(value: Any) -> str:
    """As the command line has it; of a path the last part."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    text = PurePath(value).name if isinstance(value, str) else str(value)
    return "".join(letter if letter.isprintable() else "?" for letter in text)
