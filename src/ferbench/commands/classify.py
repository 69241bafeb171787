"""`ferbench classify`: fit one classifier, score it on a real split, add its row to the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from ferbench import results, runs
from ferbench.classes import CLASSES
from ferbench.classifiers import batches, scoring
from ferbench.classifiers import training as classifier
from ferbench.classifiers.batches import DeviceFaces
from ferbench.classifiers.teacher import taught
from ferbench.classifiers.training import Fit, Stopped
from ferbench.commands import classify_inputs, inputs
from ferbench.commands.classify_inputs import Given
from ferbench.config.commands import Classify
from ferbench.config.data import DataConfig
from ferbench.config.identity import identity
from ferbench.data.training_set import TrainingSet
from ferbench.errors import UserError
from ferbench.files import write_whole
from ferbench.gan.fresh_faces import FreshFaces, sampler_of
from ferbench.models import FaceClassifier, build
from ferbench.runs import Interrupted, Record, StopSignal, checkpoint, precision
from ferbench.runs.loggers import Logger, open_logger
from ferbench.runs.precision import Precision

STATE, HISTORY = "state.pt", "metrics.jsonl"


def run(job: Classify) -> Path:
    """Fit and score unless that is done; go on where a run was stopped. Returns its folder."""
    device = runs.resolve_device(job.device)
    chosen = precision.choose(job.precision, device)
    job, given = classify_inputs.open_all(job, device, chosen)
    folder = _folder(job, given.hashes)
    if inputs.is_done(folder, Path(job.outputs), "runs it again"):
        return folder
    _check_inputs(folder, given.hashes)
    training = given.training_set(job.data)
    config = yaml.safe_dump(asdict(job) | {"resume": None, "force": False}, sort_keys=False)
    with runs.recorded(folder, "classify", config, given.hashes) as record:
        record.update(environment=runs.environment(device))
        _fit_and_score(job, given, training, folder, record, device, chosen)
    return folder


def _fit_and_score(
    job: Classify,
    given: Given,
    training: TrainingSet,
    folder: Path,
    record: Record,
    device: torch.device,
    chosen: Precision,
) -> None:
    record.update(training_set={"hash": _data_hash(job.data, given, training), **training.counts()})
    runs.seed_everything(job.seed)
    model = build(classes=len(CLASSES), **asdict(job.model))
    if given.start is not None:
        model.load_state_dict(given.start.weights)
    model.to(device)
    parameters = sum(p.numel() for p in model.parameters())
    print(
        f"{job.model.name} ({parameters / 1e6:.2f} M parameters) on {job.data.label} "
        f"({_in_words(training, given)}), {runs.hardware(device)}, {chosen.name}"
    )
    print(f"run: {folder}")
    fit = _fit(job, model, given, training, folder, device, chosen)
    model.load_state_dict(fit.weights)
    checkpoint.save_weights(folder / inputs.WEIGHTS, fit.weights)
    tested = scoring.score(
        model,
        given.faces,
        split=job.eval.split,
        batch=job.eval.batch,
        tta=job.eval.tta,
        precision=chosen,
        device=device,
    )
    scoring.write(folder, tested, history=fit.history, best_epoch=fit.best_epoch)
    row = scoring.row(
        tested,
        run=runs.name_in(Path(job.outputs), folder),
        command="classify",
        training=_training_facts(job, given, training, record, fit, parameters, chosen),
        environment=record.facts["environment"],
    )
    record.update(status="complete", finished=row.finished, row=asdict(row))
    results.append_row(Path(job.outputs) / "metrics.csv", row)
    (folder / STATE).unlink(missing_ok=True)
    print(scoring.summary(tested))


def _fit(
    job: Classify,
    model: FaceClassifier,
    given: Given,
    training: TrainingSet,
    folder: Path,
    device: torch.device,
    chosen: Precision,
) -> Fit:
    """Train, with the epoch's numbers in metrics.jsonl and the logger; stop on a signal."""
    train = batches.stream_to_device(
        training.blocks(),
        training.labels,
        device,
        first=len(training.real),
        first_share=job.data.mix.real_weight,
    )
    if given.teacher is not None:
        train = taught(train, given.teacher, real=job.data.taught_real)
    public = given.faces.splits["public"]
    progress = _Progress(job, folder)
    try:
        with StopSignal() as signal:
            should_stop = lambda: bool(signal.received)  # noqa: E731
            return classifier.fit(
                model,
                train,
                batches.to_device(public.images, public.labels, device),
                job.train,
                classes=len(CLASSES),
                seed=job.seed,
                precision=chosen,
                state=folder / STATE,
                should_stop=should_stop,
                on_start=progress.begin,
                on_epoch=progress.log,
                renew=_renewal(job, given, train, chosen, should_stop),
            )
    except Stopped:
        raise Interrupted(
            f"stopped, the state is saved; go on with `ferbench classify resume={folder}`",
            signal.received,
        ) from None
    finally:
        progress.close()


def _renewal(
    job: Classify,
    given: Given,
    train: DeviceFaces,
    chosen: Precision,
    should_stop: Callable[[], bool],
) -> Callable[[int], bool] | None:
    """With data.synthetic.online: what draws the images of an epoch."""
    if given.generator is None:
        return None
    return FreshFaces(
        train,
        sampler_of(given.generator, chosen),
        draw_seed=job.data.draw_seed,
        teacher=given.teacher,
        should_stop=should_stop,
    ).renew


class _Progress:
    """The epochs' numbers on their way to metrics.jsonl and the logger."""

    def __init__(self, job: Classify, folder: Path) -> None:
        self.job, self.folder = job, folder
        self.logger: Logger | None = None

    def begin(self, epochs_done: int) -> None:
        """Open the logger for the epochs that are still to come."""
        if (self.folder / STATE).exists():
            print(f"going on from the state of epoch {epochs_done}")
        chosen = self.job.logger
        self.logger = open_logger(
            chosen.name,
            self.folder,
            config=asdict(self.job),
            project=chosen.project,
            address=chosen.address,
            first_step=epochs_done + 1,
        )

    def log(self, history: list[dict[str, float]]) -> None:
        """metrics.jsonl is written whole, so that a resumed run leaves no line twice."""
        text = "".join(json.dumps(row) + "\n" for row in history)
        path = self.folder / HISTORY
        write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))
        row = history[-1]
        if self.logger is not None:
            self.logger.log(int(row["epoch"]), {key: row[key] for key in row if key != "epoch"})

    def close(self) -> None:
        """Write what is pending."""
        if self.logger is not None:
            self.logger.close()


def _in_words(training: TrainingSet, given: Given) -> str:
    real, synthetic = len(training.real), len(training.synthetic)
    kinds = [f"{real:,} real"] * (real > 0) + [f"{synthetic:,} synthetic"] * (synthetic > 0)
    words = f"{' + '.join(kinds)} faces" if synthetic else f"{real:,} faces"
    if given.generator is not None:
        words += ", synthetic ones drawn anew every epoch"
    if given.teacher is not None:
        words += f", taught by {given.teacher.judge.name}"
    return words if given.start is None else f"{words}, from {given.start.name}"


def _data_hash(data: DataConfig, given: Given, training: TrainingSet) -> str:
    """The content's hash; where labels or images are not those of sets, with what makes them."""
    content, hashes = training.content_hash(), given.hashes
    if not (data.taught or data.synthetic.online):
        return content
    made_by = [hashes.get("generator"), hashes.get("teacher"), identity(data)]
    return runs.hash_of([content, *made_by])


def _training_facts(
    job: Classify,
    given: Given,
    training: TrainingSet,
    record: Record,
    fit: Fit,
    parameters: int,
    chosen: Precision,
) -> dict[str, Any]:
    """The row's columns on data, model and training (`scoring.TRAINING`)."""
    config, start = _result_config(job, given.hashes), given.start
    cell = {key: config[key] for key in config if key != "seed"}
    if start is not None:
        cell["start"] = start.experiment  # a seed starts from its own seed's run, as a rule
    return {
        "data": job.data.label,
        "train_images": len(training),
        "synthetic_images": len(training.synthetic),
        "data_hash": record.facts["training_set"]["hash"],
        "selected_on": "none" if job.train.select == "last" else "public",
        "model": job.model.name,
        "stem": job.model.stem,
        "input_px": job.model.input_px,
        "pretrained": job.model.pretrained if start is None else f"run:{start.name}",
        "tune": job.model.tune,
        "parameters": parameters,
        "seed": job.seed,
        "epochs": len(fit.history),
        "best_epoch": fit.best_epoch,
        "precision": chosen.name,
        "config_hash": runs.hash_of(config),
        "cell": runs.hash_of(cell),
        "seconds": fit.seconds,
        "images_per_second": fit.images_per_second,
    }


def _result_config(job: Classify, hashes: Mapping[str, str]) -> dict[str, Any]:
    """What the run is known by: its config, a teacher and a start by the hashes of their weights.

    hashes: of what the run reads.
    """
    known = {key: hashes[key] for key in ("teacher", "start") if key in hashes}
    return identity(job) | {"precision": job.precision} | known


def _folder(job: Classify, hashes: dict[str, str]) -> Path:
    """outputs/classify/<name>_s<seed>_<hash of config and data>: the same cell, the same folder."""
    if job.resume:
        return Path(job.resume)
    name = job.name or f"{job.model.name}_{job.data.label}"
    short = runs.hash_of([_result_config(job, hashes), hashes])[:8]
    folder = Path(job.outputs) / "classify" / f"{name}_s{job.seed}_{short}"
    return runs.free_folder(folder) if job.force else folder


def _check_inputs(folder: Path, hashes: dict[str, str]) -> None:
    """Refuse to go on with a run on data that have changed since."""
    earlier = runs.status_of(folder).get("inputs")
    if earlier is not None and earlier != hashes:
        raise UserError(f"resume={folder}: the data have changed since that run; start a new one")
