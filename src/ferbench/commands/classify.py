"""`ferbench classify`: fit one classifier, score it on a real split, add its row to the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ferbench import runs
from ferbench.classes import CLASSES
from ferbench.classifiers import batches, scoring
from ferbench.classifiers import training as classifier
from ferbench.classifiers.batches import DeviceFaces
from ferbench.classifiers.memory import training_bytes
from ferbench.classifiers.scoring import Evaluation
from ferbench.classifiers.teacher import with_soft_labels
from ferbench.classifiers.training import Fit, Hooks, Settings, Stopped
from ferbench.commands import classify_inputs, inputs, measured, plans
from ferbench.commands.classify_inputs import ClassifyInputs
from ferbench.commands.measured import Outcome, Run
from ferbench.config.commands import Classify
from ferbench.config.identity import identity
from ferbench.files import sha256_of, write_whole
from ferbench.gan.fresh_faces import FreshFaces, sampler_of
from ferbench.models import FaceClassifier, NetworkOptions, build
from ferbench.progress import epoch_line, say
from ferbench.runs import Compute, Interrupted, Record, StopSignal, checkpoint, loggers, memory
from ferbench.runs.loggers import Logger, open_logger

STATE, HISTORY = "state.pt", "metrics.jsonl"


def run(job: Classify) -> Path:
    """Fit and score unless that is done; go on where a run was stopped. Returns its folder."""
    compute = Compute.choose(job.device, job.precision)
    loggers.require(job.logger.name)
    if job.start is None:
        NetworkOptions(**asdict(job.model))  # refuses what its network does not have
    if job.plan:
        what = f"{job.model.name} on {job.data.label}, {job.train.epochs} epochs"
        return plans.show("classify", job, what, compute)
    job, read = classify_inputs.open_all(job, compute)
    this = run_of(job, read, compute)
    if not measured.is_done(this):
        _check_memory(job, read, compute)
    folder = measured.run(this, lambda record: _fit_and_score(job, read, compute, record))
    if (folder / STATE).exists():  # a disk that can only be read refuses even to remove nothing
        (folder / STATE).unlink()
    return folder


def _check_memory(job: Classify, read: ClassifyInputs, compute: Compute) -> None:
    """Refuse a training that surely takes more memory than there is."""
    if memory.available(compute.device) is None:
        return
    with torch.random.fork_rng():
        options = NetworkOptions(**asdict(replace(job.model, pretrained="none")))
        needed = training_bytes(
            build(options, classes=len(CLASSES)),
            job.train,
            compute.precision,
            images=len(read.training) + len(read.faces.splits["public"]),
            device=compute.device,
        )
    memory.check(needed, compute.device, f"train.batch={job.train.batch}")


def run_of(job: Classify, read: ClassifyInputs, compute: Compute) -> Run:
    """The run by config and inputs. Its cell knows no data, which have columns of their own."""
    name = job.name or f"{job.model.name}_{job.data.label}"
    cell_inputs: dict[str, Any] = {}
    if read.teacher is not None:
        cell_inputs["teacher"] = read.teacher.judge.hash
    if read.start is not None:  # a seed starts from its own seed's run, as a rule
        cell_inputs["start"] = read.start.experiment
    name = f"{name}_s{job.seed}"
    device = {"device": compute.device.type}  # each kind has random numbers of its own
    return Run(job, "classify", name, read.hashes, compute, chosen=device, cell_inputs=cell_inputs)


def _fit_and_score(
    job: Classify, read: ClassifyInputs, compute: Compute, record: Record
) -> Outcome:
    data_hash = _data_hash(job, read)
    record.update(training_set={"hash": data_hash, **read.training.counts()})
    runs.seed_everything(job.seed)
    model = build(NetworkOptions(**asdict(job.model)), classes=len(CLASSES))
    if read.start is not None:
        model.load_state_dict(read.start.weights)
    model.to(compute.device)
    parameters = sum(p.numel() for p in model.parameters())
    print(
        f"{job.model.name} ({parameters / 1e6:.2f} M parameters) on {job.data.label} "
        f"({_in_words(read)}), {compute.in_words}"
    )
    fit = _fit(job, model, read, compute, record.folder)
    model.load_state_dict(fit.weights)
    checkpoint.save_weights(record.folder / inputs.WEIGHTS, fit.weights)
    how = Evaluation(**asdict(job.eval), precision=compute.precision)
    tested = scoring.score(model, read.faces, how, device=compute.device)
    scoring.write(record.folder, tested, history=fit.history, best_epoch=fit.best_epoch)
    row = _training_columns(job, read, fit) | scoring.columns(tested)
    row |= {"data_hash": data_hash, "parameters": parameters}
    warnings = scoring.warnings(tested)
    lines = [scoring.summary(tested), *(f"warning: {warning}" for warning in warnings)]
    taught = [] if read.teacher is None else read.teacher.judge.warnings
    facts = {inputs.WEIGHTS_HASH: sha256_of(record.folder / inputs.WEIGHTS)}
    return Outcome(lines=lines, row=row, warnings=[*taught, *warnings], facts=facts)


def _fit(
    job: Classify, model: FaceClassifier, read: ClassifyInputs, compute: Compute, folder: Path
) -> Fit:
    """Train, with the epoch's numbers in metrics.jsonl and the logger; stop on a signal."""
    training, public = read.training, read.faces.splits["public"]
    train = batches.stream_to_device(
        training.blocks(),
        training.labels,
        compute.device,
        first=len(training.real),
        first_share=job.data.mix.real_weight,
    )
    if read.teacher is not None:
        train = with_soft_labels(train, read.teacher, real=job.data.taught_real)
    progress = _Progress(job, folder)
    try:
        with StopSignal() as signal:
            should_stop = lambda: bool(signal.received)  # noqa: E731
            return classifier.fit(
                model,
                train,
                batches.to_device(public.images, public.labels, compute.device),
                Settings(job.train, job.seed, compute.precision),
                state=folder / STATE,
                hooks=Hooks(
                    on_epoch=progress.log,
                    should_stop=should_stop,
                    on_start=progress.begin,
                    renew=_renewal(job, read, train, compute, should_stop),
                ),
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
    read: ClassifyInputs,
    train: DeviceFaces,
    compute: Compute,
    should_stop: Callable[[], bool],
) -> Callable[[int], bool] | None:
    """With data.synthetic.online: what draws the images of an epoch."""
    if read.generator is None:
        return None
    return FreshFaces(
        train,
        sampler_of(read.generator, compute.precision),
        draw_seed=job.data.draw_seed,
        teacher=read.teacher,
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
        say(epoch_line(history, self.job.train.epochs))
        row = history[-1]
        if self.logger is not None:
            self.logger.log(int(row["epoch"]), {key: row[key] for key in row if key != "epoch"})

    def close(self) -> None:
        """Write what is pending."""
        if self.logger is not None:
            self.logger.close()


def _in_words(read: ClassifyInputs) -> str:
    real, synthetic = len(read.training.real), len(read.training.synthetic)
    kinds = [f"{real:,} real"] * (real > 0) + [f"{synthetic:,} synthetic"] * (synthetic > 0)
    words = f"{' + '.join(kinds)} faces" if synthetic else f"{real:,} faces"
    if read.generator is not None:
        words += ", synthetic ones drawn anew every epoch"
    if read.teacher is not None:
        words += f", taught by {read.teacher.judge.name}"
    return words if read.start is None else f"{words}, from {read.start.name}"


def _data_hash(job: Classify, read: ClassifyInputs) -> str:
    """The content's hash; where labels or images are not those of sets, with what makes them."""
    content = read.training.content_hash()
    makers = {key: read.hashes[key] for key in ("teacher", "generator") if key in read.hashes}
    return runs.hash_of([content, makers, identity(job.data)]) if makers else content


def _training_columns(job: Classify, read: ClassifyInputs, fit: Fit) -> dict[str, Any]:
    """The row's columns on data, model and training."""
    return {
        "data": job.data.label,
        "train_images": len(read.training),
        "synthetic_images": len(read.training.synthetic),
        "synthetic_px": read.synthetic_px,
        "selected_on": "none" if job.train.select == "last" else "public",
        "model": job.model.name,
        "stem": job.model.stem,
        "input_px": job.model.input_px,
        "pretrained": job.model.pretrained if read.start is None else f"run:{read.start.name}",
        "tune": job.model.tune,
        "recipe": job.train.name,
        "epochs": len(fit.history),
        "best_epoch": fit.best_epoch,
        "seconds": fit.seconds,
        "images_per_second": fit.images_per_second,
    }
