"""Which trained classifier judges, teaches or filters: the one that a key names, or the best."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ferbench import runs
from ferbench.classifiers.judge import Judge
from ferbench.commands import inputs
from ferbench.data.face_set import FaceSet
from ferbench.errors import UserError
from ferbench.files import sha256_of
from ferbench.runs import Compute


@dataclass(frozen=True)
class RealFaces:
    """The Training split that a judge must have learned from.

    words: how the command line names it, as in `data=real real_limit=0.1`. hash: of its content.
    whole: hash and number of the images that real_limit chose it from; None where it is whole.
    """

    words: str
    hash: str
    whole: tuple[str, int] | None = None


def real_faces(data: str, faces: FaceSet) -> RealFaces:
    """The Training split of opened faces. data: real or toy."""
    words, limited = f"data={data}", faces.manifest.get("limited")
    if limited is None:
        return RealFaces(words, faces.manifest["hashes"]["train"])
    words += f" real_limit={limited['fraction']:g}"
    return RealFaces(words, faces.manifest["hashes"]["train"], (limited["hash"], limited["of"]))


@dataclass(frozen=True)
class Wanted:
    """What a command asks of its judge.

    outputs: where runs are looked for. key: of the config, for messages.
    without: what happens without a judge, as a note says it; None where there must be one.
    may_be_none: whether `none` may stand there.
    any_faces: whether a run that is named may have learned from other real faces than these.
    """

    outputs: Path
    faces: RealFaces
    key: str = "judge"
    without: str | None = None
    may_be_none: bool = False
    any_faces: bool = False


def choose(value: str, wanted: Wanted) -> Path | None:
    """The run of classify that judge=`value` stands for: its path; none; auto is the best.

    None without a judge, where the command allows that. UserError, naming the key, where it does
    not, and where a path is not that of a complete run.
    """
    key = wanted.key
    if value == "none":
        if wanted.may_be_none or wanted.without is not None:
            return None
        raise UserError(f"{key}=none: one is needed here; expected auto, or a run of classify")
    if value != "auto":
        inputs.trained_row(Path(value), key)
        return Path(value)
    best = find(wanted.outputs, wanted.faces.hash)
    if best is not None:
        print(f"{key}={best} (the best on PublicTest)")
        return best
    missing = (
        f"{key}=auto: no run of a classifier on the Training split of {wanted.faces.words} below "
        f"{wanted.outputs / 'classify'}; `ferbench classify model=cnn {wanted.faces.words}` trains "
        "one"
    )
    if wanted.without is None:
        raise UserError(missing + f", {key}=none does without" * wanted.may_be_none)
    print(f"note: {missing}; {wanted.without}")
    return None


def choose_another(value: str, wanted: Wanted, first: Path) -> Path:
    """As `choose`; auto is the best besides `first`, or that one again where there is no other."""
    if value != "auto":
        return choose(value, wanted) or first
    return find(wanted.outputs, wanted.faces.hash, besides=first) or first


def load(run: Path, wanted: Wanted, compute: Compute) -> Judge:
    """The judge of a run that was chosen; UserError if it learned from something else.

    Prints why it cannot be trusted, if it cannot.
    """
    judge = inputs.open_judge(run, compute, wanted.key)
    for warning in judge.warnings:
        print(f"warning: {warning}")
    faces = wanted.faces
    if wanted.any_faces or judge.data_hash == faces.hash:
        return judge
    learned = "other faces"
    if faces.whole is not None and judge.data_hash == faces.whole[0]:
        learned = f"all {faces.whole[1]:,} real faces"
    raise UserError(
        f"{wanted.key}={run}: learned from {learned}; expected a run on the Training split of "
        f"{faces.words}"
    )


def choose_and_load(value: str, wanted: Wanted, compute: Compute) -> Judge | None:
    """`choose`, then `load`."""
    run = choose(value, wanted)
    return None if run is None else load(run, wanted, compute)


def find(outputs: Path, data_hash: str, *, besides: Path | None = None) -> Path | None:
    """The run that makes the best judge of faces like those of the training split `data_hash`.

    Of the complete runs of classify below `outputs` that learned from just that split, and did not
    begin with the weights of another run, the one with the best accuracy on PublicTest (the latest
    among equals), which no test split decides; None if there is no run.
    """
    candidates = []
    for run in sorted((outputs / "classify").glob("*/")):
        if besides is not None and run.resolve() == besides.resolve():
            continue
        facts = runs.status_of(run)
        row = facts.get("row") or {}
        if (
            facts.get("status") == "complete"
            and row.get("data_hash") == data_hash
            and row.get("synthetic_images") == 0
            and row.get("pretrained") in inputs.OWN_STARTS
            and (run / inputs.WEIGHTS).is_file()
        ):
            candidates.append((_public_accuracy(run, row["best_epoch"]), row["finished"], run))
    return max(candidates)[2] if candidates else None


def known(outputs: Path, name: str, hash: str) -> Path | None:
    """The run of classify of this name, if its weights still have this hash."""
    run = outputs / "classify" / name
    weights = run / inputs.WEIGHTS
    return run if weights.is_file() and sha256_of(weights) == hash else None


def _public_accuracy(run: Path, epoch: int | None) -> float:
    """PublicTest accuracy of the kept epoch; 0 where the run has no such record."""
    path = run / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    kept = [row for row in map(json.loads, lines) if row["epoch"] == epoch]
    return float(kept[0]["public_accuracy"]) if kept else 0.0
