"""`ferbench evaluate`: score a trained classifier again, on another split or other data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from ferbench import runs
from ferbench.classifiers import scoring
from ferbench.classifiers.scoring import Evaluation
from ferbench.commands import inputs, measured
from ferbench.commands.measured import Outcome, Run
from ferbench.config.commands import Evaluate
from ferbench.data.face_set import FaceSet
from ferbench.files import sha256_of
from ferbench.models import FaceClassifier
from ferbench.results import settings
from ferbench.runs import Compute, Record


def run(job: Evaluate) -> Path:
    """Score the run's weights, or say that it was done already; leave figures and a row."""
    compute = Compute.choose(job.device, job.precision)
    trained_run = Path(job.run)
    inputs.trained_row(trained_run)
    model = inputs.load_classifier(trained_run)
    faces = inputs.open_faces(job.data)
    name = f"{trained_run.resolve().name}_{job.data.name}_{job.eval.split}"
    hashes = {"weights": sha256_of(trained_run / inputs.WEIGHTS), **faces.manifest["hashes"]}
    this = Run(job, "evaluate", name, hashes, compute)
    return measured.run(this, lambda record: _score(job, model, faces, compute, record))


def _score(
    job: Evaluate, model: FaceClassifier, faces: FaceSet, compute: Compute, record: Record
) -> Outcome:
    model.to(compute.device).to(memory_format=torch.channels_last)
    how = Evaluation(**asdict(job.eval), precision=compute.precision)
    tested = scoring.score(model, faces, how, device=compute.device)
    scoring.write(record.folder, tested, history=(), best_epoch=None)
    trained_row = inputs.trained_row(Path(job.run))
    row = scoring.columns(tested) | {key: trained_row.get(key) for key in scoring.TRAINING}
    warnings = scoring.warnings(tested)
    lines = [scoring.summary(tested), *(f"warning: {warning}" for warning in warnings)]
    trained = runs.status_of(Path(job.run))
    keys = {part: trained[part] for part in settings.PARTS if part in trained}
    return Outcome(lines=lines, row=row, facts=keys, warnings=warnings)
