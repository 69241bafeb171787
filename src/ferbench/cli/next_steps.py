"""What to do after a command: the line that ends it on the terminal, in one form for all."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ferbench.classes import SPLITS
from ferbench.config import yaml_files
from ferbench.config.data import BASES

Words = Sequence[str]  # a command and its words
OUTPUTS = "outputs"  # where everything goes unless outputs= says otherwise
KINDS = {  # of commands whose rows are not in the table that is printed without kind=
    "curate": ("kind=curate",),
    "fidelity": ("kind=fidelity",),
    "audit": ("kind=audit",),
    "audit-data": ("kind=audit-data",),
    "bias": ("kind=bias",),
}
WITHOUT_FOLDER = ("prepare", "table", "demo")  # whose `run` returns none
OF_A_SWEEP: dict[str, Words] = {"train-gan": ("synth",), "synth": ("fidelity",)}


def line(command: str, job: Any, returned: Any) -> str | None:
    """`next: ferbench ...` after a command that ended well; None where nothing follows.

    job: its config. returned: what its `run` gave, the folder of its run in most cases.
    """
    if returned is None and command not in WITHOUT_FOLDER:
        return None
    if getattr(job, "plan", False):
        return "next: the same command without plan=true"
    steps = AFTER.get(command, _evaluate)(job, returned)
    if isinstance(steps, str):
        return f"next: {steps}"
    outputs = [] if job.outputs == OUTPUTS else [f"outputs={job.outputs}"]
    lines = [_typed([*words, *outputs]) for words in steps]
    return f"next: {', or '.join(lines)}" if lines else None


def line_of_sweep(command: str, failed: int) -> str:
    """The same after a sweep, of whose runs `failed` failed."""
    if failed:
        runs = "the run that failed" if failed == 1 else f"the {failed} runs that failed"
        return f"next: the same command tries {runs} again"
    return f"next: {_typed(OF_A_SWEEP.get(command, ('table', *KINDS.get(command, ()))))}"


def _typed(words: Words) -> str:
    return shlex.join(["ferbench", *words])


# --- each command --------------------------------------------------------------------------------


def _prepare(job: Any, _: Any) -> list[Words]:
    if job.source != "toy":
        return [("classify", "model=cnn", "data=real")]
    return [("classify", "model=cnn", "data=toy", *_toy_sizes(job.data))]


def _train_gan(job: Any, folder: Path) -> list[Words]:
    return [("synth", f"gan={folder}")]


def _set(job: Any, folder: Path) -> list[Words] | str:
    """After a set: measure it, learn from it. A set of other classes is for looking at alone."""
    if getattr(job, "labels", "expressions") == "own":
        return f"look at the pictures in {folder}"
    toy = _learned_from_toy_faces(folder)
    return [
        ("fidelity", f"set={folder}", *(["data=toy"] if toy else [])),
        (
            "classify",
            "data=synthetic",
            f"data.synthetic={folder}",
            *(["data.base=toy"] if toy else []),
        ),
    ]


def _learned_from_toy_faces(folder: Path) -> bool:
    """Whether the manifest of a set says so of its generator."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return bool(manifest["generator"]["data"] == "toy")
    return False


def _classify(job: Any, folder: Path) -> list[Words]:
    return [("bias", f"run={folder}", *_faces(job)), ("table",)]


def _evaluate(job: Any, _: Path) -> list[Words]:
    return [("table",)]


def _fidelity(job: Any, _: Path) -> list[Words]:
    table = ("table", "kind=fidelity")
    if job.set in SPLITS:
        return [table]
    return [("audit", *_named_set(job), *_faces(job)), table]


def _audit(job: Any, _: Path) -> list[Words]:
    return [("bias", *_named_set(job), *_faces(job)), ("table", "kind=audit")]


def _audit_data(job: Any, _: Path) -> list[Words]:
    return [("classify", "model=cnn", *_faces(job)), ("table", "kind=audit-data")]


def _bias(job: Any, _: Path) -> list[Words]:
    return [("table", "kind=bias")]


def _study(job: Any, left: int) -> list[Words] | str:
    """left: runs of the whole study that are not done."""
    if not left:
        return [("table",)]
    without = " and ".join(f"{key}=" for key in ("report", "only") if getattr(job, key))
    return f"the same command{f' without {without}' if without else ''} runs what is left ({left})"


def _table(job: Any, _: Any) -> list[Words]:
    return [("table", "format=latex")] if job.format == "terminal" and not job.failed else []


def _demo(job: Any, _: Any) -> str:
    return "ferbench prepare source=fer2013.zip, then the same with the real faces"


def _faces(job: Any) -> list[str]:
    """data=toy for a command that reads faces, where these were toy faces."""
    data = getattr(job, "data", None)
    kind = getattr(data, "base", None) or getattr(data, "name", None)
    return ["data=toy", *_toy_sizes(data)] if kind in BASES and kind != "real" else []


def _toy_sizes(data: Any) -> list[str]:
    """The numbers of toy faces, and their seed, that are not the usual ones."""
    usual = yaml_files.keys_of_option("data", "toy")
    chosen = {key: getattr(data.toy, key) for key in ("train", "public", "private", "seed")}
    return [
        f"data.toy_{key}={value}"
        for key, value in chosen.items()
        if value is not None and str(value) != usual[f"data.toy.{key}"][0]
    ]


def _named_set(job: Any) -> list[str]:
    return [] if job.set is None else [f"set={job.set}"]


AFTER: dict[str, Callable[[Any, Any], list[Words] | str]] = {
    "prepare": _prepare,
    "train-gan": _train_gan,
    "synth": _set,
    "curate": _set,
    "classify": _classify,
    "evaluate": _evaluate,
    "fidelity": _fidelity,
    "audit": _audit,
    "audit-data": _audit_data,
    "bias": _bias,
    "study": _study,
    "table": _table,
    "demo": _demo,
}
