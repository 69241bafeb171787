"""`ferbench evaluate`: score a trained classifier again, on another split or other data."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import torch

from ferbench import runs
from ferbench.classifiers import scoring
from ferbench.classifiers.scoring import Evaluation
from ferbench.commands import inputs, measured
from ferbench.commands.measured import Outcome, Run
from ferbench.config.commands import Evaluate
from ferbench.config.data import DataConfig, ToyConfig
from ferbench.config.scored_faces import ScoredFacesConfig
from ferbench.config.store import read_config
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
    if job.data.own:
        job = replace(job, data=_own(trained_run, Path(job.outputs)))
        print(f"data={job.data.name}: {job.data.folder} (the run's own; data=NAME takes others)")
    faces = inputs.open_scored(job.data)
    name = f"{trained_run.resolve().name}_{job.data.name}_{job.eval.split}"
    hashes = {"weights": sha256_of(trained_run / inputs.WEIGHTS), **faces.manifest["hashes"]}
    this = Run(job, "evaluate", name, hashes, compute)
    return measured.run(this, lambda record: _score(job, model, faces, compute, record))


def _own(run: Path, outputs: Path) -> ScoredFacesConfig:
    """The faces whose held-out images scored the run, from where they are now."""
    data: DataConfig = read_config(DataConfig, run / "config.yaml", section="data")
    folder = inputs.base_folder(data, outputs)
    if not folder.exists():  # the run came from elsewhere
        folder = outputs / "data" / inputs.FOLDERS[data.faces]
    toy = data.toy if data.faces == "toy" else ToyConfig(None, None, None, None)
    return ScoredFacesConfig(own=False, name=data.faces, folder=str(folder), toy=toy)


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
