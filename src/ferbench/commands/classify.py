"""`ferbench classify`: fit one classifier, score it on a real split, add its row to the table."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from ferbench import checkpoint, classifier, precision, results, scoring
from ferbench import run as runs
from ferbench.classes import CLASSES
from ferbench.classifier import Fit, Stopped
from ferbench.commands import inputs
from ferbench.data import batches
from ferbench.data.face_set import FaceSet
from ferbench.errors import UserError
from ferbench.loggers import Logger, open_logger
from ferbench.models import FaceClassifier, build
from ferbench.precision import Precision
from ferbench.run import Interrupted, Record, StopSignal
from ferbench.schema import Classify

STATE, HISTORY = "state.pt", "metrics.jsonl"
# Keys that do not change a result: where it goes, and whether to do it again.
NEUTRAL = ("outputs", "name", "force", "resume", "logger")


def run(job: Classify) -> None:
    """Fit and score, or say that it was done already; go on where an earlier run was stopped."""
    device = runs.resolve_device(job.device)
    chosen = precision.choose(job.precision, device)
    faces = inputs.open_faces(job.data)
    hashes = {split: faces.manifest["hashes"][split] for split in faces.splits}
    folder = _folder(job, hashes)
    if _is_done(folder, job):
        return
    _check_inputs(folder, hashes)
    config = yaml.safe_dump(asdict(job) | {"resume": None, "force": False}, sort_keys=False)
    with runs.recorded(folder, "classify", config, hashes) as record:
        record.update(environment=runs.environment(device))
        _fit_and_score(job, faces, folder, record, device, chosen)


def _fit_and_score(
    job: Classify, faces: FaceSet, folder: Path, record: Record, device: torch.device,
    chosen: Precision,
) -> None:  # fmt: skip
    runs.seed_everything(job.seed)
    model = build(classes=len(CLASSES), **asdict(job.model)).to(device)
    parameters = sum(p.numel() for p in model.parameters())
    train = faces.splits["train"]
    print(f"{job.model.name} ({parameters / 1e6:.2f} M parameters) on {job.data.name} "
          f"({len(train):,} faces), {runs.hardware(device)}, {chosen.name}")  # fmt: skip
    print(f"run: {folder}")
    fit = _fit(job, model, faces, folder, device, chosen)
    model.load_state_dict(fit.weights)
    checkpoint.save_weights(folder / inputs.WEIGHTS, fit.weights)
    tested = scoring.score(
        model, faces, split=job.eval.split, batch=job.eval.batch, tta=job.eval.tta,
        precision=chosen, device=device,
    )  # fmt: skip
    scoring.write(folder, tested, history=fit.history, best_epoch=fit.best_epoch)
    row = scoring.row(
        tested, run=runs.name_in(Path(job.outputs), folder), command="classify",
        training=_training_facts(job, faces, fit, parameters, chosen),
        environment=record.facts["environment"],
    )  # fmt: skip
    record.update(status="complete", finished=row.finished, row=asdict(row))
    results.append_row(Path(job.outputs) / "metrics.csv", row)
    (folder / STATE).unlink(missing_ok=True)
    print(scoring.summary(tested))


def _fit(
    job: Classify, model: FaceClassifier, faces: FaceSet, folder: Path, device: torch.device,
    chosen: Precision,
) -> Fit:  # fmt: skip
    """Train, with the epoch's numbers in metrics.jsonl and the logger; stop on a signal."""
    train, public = (
        batches.to_device(faces.splits[split].images, faces.splits[split].labels, device)
        for split in ("train", "public")
    )
    first = _epochs_done(folder) + 1
    if (folder / STATE).exists():
        print(f"going on from the state of epoch {first - 1}")
    logger = open_logger(
        job.logger.name, folder, config=asdict(job), project=job.logger.project,
        address=job.logger.address, first_step=first,
    )  # fmt: skip
    try:
        with StopSignal() as signal:
            return classifier.fit(
                model, train, public, job.train, classes=len(CLASSES), seed=job.seed,
                precision=chosen, state=folder / STATE, should_stop=lambda: bool(signal.received),
                on_epoch=lambda history: _log_epoch(folder, logger, history),
            )  # fmt: skip
    except Stopped:
        raise Interrupted(
            f"stopped, the state is saved; go on with `ferbench classify resume={folder}`",
            signal.received,
        ) from None
    finally:
        logger.close()


def _log_epoch(folder: Path, logger: Logger, history: list[dict[str, float]]) -> None:
    """metrics.jsonl is written whole, so that a resumed run leaves no line twice."""
    text = "".join(json.dumps(row) + "\n" for row in history)
    checkpoint.write_whole(folder / HISTORY, lambda path: path.write_text(text, encoding="utf-8"))
    row = history[-1]
    logger.log(int(row["epoch"]), {key: row[key] for key in row if key != "epoch"})


def _training_facts(
    job: Classify, faces: FaceSet, fit: Fit, parameters: int, chosen: Precision
) -> dict[str, Any]:
    """The row's columns on data, model and training (`scoring.TRAINING`)."""
    config = _result_config(job)
    return {
        "data": job.data.name,
        "train_images": len(faces.splits["train"]),
        "synthetic_images": 0,
        "data_hash": faces.manifest["hashes"]["train"],
        "selected_on": "none" if job.train.select == "last" else "public",
        "model": job.model.name,
        "stem": job.model.stem,
        "input_px": job.model.input_px,
        "pretrained": job.model.pretrained,
        "tune": job.model.tune,
        "parameters": parameters,
        "seed": job.seed,
        "epochs": len(fit.history),
        "best_epoch": fit.best_epoch,
        "precision": chosen.name,
        "config_hash": runs.hash_of(config),
        "cell": runs.hash_of({key: config[key] for key in config if key != "seed"}),
        "seconds": fit.seconds,
        "images_per_second": fit.images_per_second,
    }


def _result_config(job: Classify) -> dict[str, Any]:
    """The config without the keys that do not change the result."""
    config = {key: value for key, value in asdict(job).items() if key not in NEUTRAL}
    return config | {"data": {k: v for k, v in config["data"].items() if k != "folder"}}


def _folder(job: Classify, hashes: dict[str, str]) -> Path:
    """outputs/classify/<name>_s<seed>_<hash of config and data>: the same cell, the same folder."""
    if job.resume:
        return Path(job.resume)
    name = job.name or f"{job.model.name}_{job.data.name}"
    short = runs.hash_of([_result_config(job), hashes])[:8]
    folder = Path(job.outputs) / "classify" / f"{name}_s{job.seed}_{short}"
    return runs.free_folder(folder) if job.force else folder


def _is_done(folder: Path, job: Classify) -> bool:
    """Say so if the run of this folder is complete; put its row back if the table lost it."""
    facts = runs.status_of(folder)
    if facts.get("status") != "complete":
        return False
    print(f"done already: {folder} (force=true runs it again)")
    results.restore_row(Path(job.outputs) / "metrics.csv", folder, facts["row"])
    return True


def _check_inputs(folder: Path, hashes: dict[str, str]) -> None:
    """Refuse to go on with a run on data that have changed since."""
    earlier = runs.status_of(folder).get("inputs")
    if earlier is not None and earlier != hashes:
        raise UserError(f"resume={folder}: the data have changed since that run; start a new one")


def _epochs_done(folder: Path) -> int:
    if not (folder / STATE).exists():
        return 0
    position = checkpoint.load_state(folder / STATE).get("position", {})
    return int(position.get("epoch", 0))  # a state of another version is refused by `fit`
