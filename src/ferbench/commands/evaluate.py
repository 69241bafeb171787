"""`ferbench evaluate`: score a trained classifier again, on another split or other data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from ferbench import results, runs
from ferbench.classifiers import scoring
from ferbench.commands import inputs
from ferbench.config.commands import Evaluate
from ferbench.data.face_set import FaceSet
from ferbench.models import FaceClassifier
from ferbench.runs import Record, precision
from ferbench.runs.precision import Precision


def run(job: Evaluate) -> None:
    """Score the run's weights, or say that it was done already."""
    device = runs.resolve_device(job.device)
    chosen = precision.choose(job.precision, device)
    source = Path(job.run)
    trained = inputs.trained_row(source)
    model = inputs.load_classifier(source).to(device).to(memory_format=torch.channels_last)
    faces = inputs.open_faces(job.data)
    folder = _folder(job, source, faces)
    if inputs.is_done(folder, Path(job.outputs), "scores it again"):
        return
    config = yaml.safe_dump(asdict(job) | {"force": False}, sort_keys=False)
    with runs.recorded(folder, "evaluate", config, {"run": str(source)}) as record:
        record.update(environment=runs.environment(device))
        _score(job, model, faces, trained, record, device, chosen)


def _score(
    job: Evaluate,
    model: FaceClassifier,
    faces: FaceSet,
    trained: dict[str, Any],
    record: Record,
    device: torch.device,
    chosen: Precision,
) -> None:
    tested = scoring.score(
        model,
        faces,
        split=job.eval.split,
        batch=job.eval.batch,
        tta=job.eval.tta,
        precision=chosen,
        device=device,
    )
    scoring.write(record.folder, tested, history=(), best_epoch=None)
    row = scoring.row(
        tested,
        run=runs.name_in(Path(job.outputs), record.folder),
        command="evaluate",
        training=trained,
        environment=record.facts["environment"],
    )
    record.update(status="complete", finished=row.finished, row=asdict(row))
    results.append(Path(job.outputs), row)
    print(f"run: {record.folder}\n{scoring.summary(tested)}")


def _folder(job: Evaluate, source: Path, faces: FaceSet) -> Path:
    """outputs/evaluate/<run>_<data>_<split>_<hash>: the same scoring, the same folder."""
    hashes = faces.manifest["hashes"]
    short = runs.hash_of([str(source.resolve().name), asdict(job.eval), job.precision, hashes])[:8]
    name = f"{source.resolve().name}_{job.data.name}_{job.eval.split}_{short}"
    folder = Path(job.outputs) / "evaluate" / name
    return runs.free_folder(folder) if job.force else folder
