"""`ferbench train-gan`: train a conditional GAN on faces: reports, states, its best weights."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

import stylegan2_ada as sg
from ferbench import runs
from ferbench.classes import CLASSES
from ferbench.classifiers.judge import Judge
from ferbench.commands import inputs
from ferbench.commands.train_gan_plan import Plan, hashes_read, plan_of, recipe_of
from ferbench.config.train_gan import TrainGan
from ferbench.data.face_set import FaceSet
from ferbench.errors import UserError
from ferbench.gan import faces as gan_faces
from ferbench.gan import score, setup, weights
from ferbench.gan.faces import GanFaces
from ferbench.gan.reports import Reports
from ferbench.gan.samples import SAMPLES
from ferbench.gan.score import Reference
from ferbench.gan.setup import Setting, Shards, Training
from ferbench.gan.weights import STATE
from ferbench.recipes.gan import GanRecipe
from ferbench.runs import Interrupted, Record, StopSignal, precision, processes
from ferbench.runs.loggers import open_logger
from ferbench.runs.precision import Precision

TICK_SEEDS = range(8)  # of the samples whose diversity is reported


def run(job: TrainGan) -> Path:
    """Train until total_kimg were shown, or go on where a run was stopped; the run's folder."""
    device = processes.own_device(runs.resolve_device(job.device))
    chosen = precision.choose(job.precision, device)
    runs.keep_freed_memory()
    with processes.group(device):
        start = inputs.load_network(job.resume, device)
        recipe = recipe_of(job, start)
        faces = inputs.open_faces(job.data)
        plan = processes.from_first(lambda: plan_of(job, recipe, faces, start))
        if plan.done:
            return plan.folder
        judge_path = _judge_path(job, faces, plan)
        train = faces.splits["train"]
        material = gan_faces.prepare(
            train.images,
            train.labels,
            res=recipe.res,
            conditional=recipe.conditional,
            scalar_label=recipe.scalar_label,
            channels=1 if start is None else start.network.config.img_channels,
        )
        setting = Setting(job.seed, chosen.name, device)
        shards = Shards(plan.shards, processes.own_part(plan.shards))
        trainer = setup.trainer(recipe, material, setting, shards, start=start)
        batches = setup.real_batches(recipe, material, setting)
        if plan.state is not None:
            _take_up(trainer, batches, plan)
        if not processes.is_first():
            with StopSignal() as signal:
                _loop(recipe, material, trainer, batches, None, signal)
            return plan.folder
        config = yaml.safe_dump(asdict(job) | {"force": False, "resume": None}, sort_keys=False)
        with runs.recorded(plan.folder, "train-gan", config, hashes_read(faces, start)) as record:
            record.update(environment=runs.environment(device))
            _introduce(job, recipe, material, trainer, plan, device, chosen)
            judge = _judge(judge_path, faces, plan.folder, device, chosen)
            _train(job, recipe, material, trainer, batches, plan, record, judge)
        return plan.folder


def _train(
    job: TrainGan,
    recipe: GanRecipe,
    material: GanFaces,
    trainer: sg.Trainer,
    batches: sg.RealBatches,
    plan: Plan,
    record: Record,
    judge: tuple[Judge, Reference] | None,
) -> None:
    """In the first process: train with reports, and end as complete or as interrupted."""
    history = weights.history_of(plan.state)
    logger = open_logger(
        job.logger.name,
        plan.folder,
        config=asdict(job),
        project=job.logger.project,
        address=job.logger.address,
        first_step=len(history) + 1,
    )
    facts = {
        "run": plan.folder.name,
        "gan": recipe.name,
        "seed": job.seed,
        "data": job.data.name,
        "data_hash": record.facts["inputs"]["train"],
        "code_version": runs.code_version(),
    }
    reports = Reports(
        plan.folder,
        Training(recipe, material, trainer, batches),
        judge=judge,
        logger=logger,
        facts=facts,
        state=plan.state,
    )
    with StopSignal() as signal:
        _loop(recipe, material, trainer, batches, reports, signal)
    kimg = trainer.images / 1000
    if kimg < recipe.total_kimg:
        raise Interrupted(
            f"stopped after {kimg:.1f} kimg, the state is saved; go on with "
            f"`ferbench train-gan resume={plan.folder}`",
            signal.received,
        )
    record.update(status="complete", finished=runs.now(), kimg=kimg, best=reports.best)
    print(_summary(plan.folder, kimg, reports.best))


def _loop(
    recipe: GanRecipe,
    material: GanFaces,
    trainer: sg.Trainer,
    batches: sg.RealBatches,
    reports: Reports | None,
    signal: StopSignal,
) -> None:
    """The library's loop, in every process; states are gathered by all and saved by the first."""
    ticks = 0

    def on_tick(tick: sg.Tick) -> None:
        nonlocal ticks
        ticks += 1
        last = tick.images >= recipe.total_kimg * 1000
        state = trainer.state_dict() if last or ticks % recipe.state_ticks == 0 else None
        if reports is not None:
            reports.tick(tick, state)

    def should_stop() -> bool:
        if reports is not None:
            reports.progress()
        return bool(signal.received)

    try:
        sg.train(
            trainer,
            batches,
            total_images=round(recipe.total_kimg * 1000),
            tick_images=round(recipe.tick_kimg * 1000),
            tick_conditions=material.class_conditions,
            tick_seeds=TICK_SEEDS,
            on_tick=on_tick,
            should_stop=should_stop,
        )
        if trainer.images < recipe.total_kimg * 1000:
            state = trainer.state_dict()
            if reports is not None:
                reports.save(state)
    except FloatingPointError as error:
        where = "" if reports is None else f"; {reports.last_state()}"
        raise FloatingPointError(f"{error}{where}") from None
    finally:
        if reports is not None:
            reports.close()


# --- what is read --------------------------------------------------------------------------------


def _take_up(trainer: sg.Trainer, batches: sg.RealBatches, plan: Plan) -> None:
    """Go on from the plan's state; UserError if it is not one of this run."""
    assert plan.state is not None
    try:
        trainer.load_state_dict(plan.state["trainer"])
        batches.load_state_dict(plan.state["batches"])
    except (LookupError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{plan.folder / STATE}: not a state of this run ({reason})") from None


def _judge_path(job: TrainGan, faces: FaceSet, plan: Plan) -> Path | None:
    """The run of the classifier that scores the samples; None, said aloud, if there is none.

    A run that goes on keeps its judge while it is there: numbers of another do not compare.
    """
    if job.judge == "none":
        return None
    if job.judge != "auto":
        inputs.trained_row(Path(job.judge), "judge")
        return Path(job.judge)
    outputs = Path(job.outputs)
    found = None if plan.judge is None else inputs.known_judge(outputs, **plan.judge)
    found = found or inputs.find_judge(outputs, faces.manifest["hashes"]["train"])
    if found is None and processes.is_first():
        print(
            "no judge: class accuracy and distance need a classifier of real faces "
            f"(`ferbench classify data={job.data.name}` first), so the latest weights count as best"
        )
    return found


def _judge(
    path: Path | None, faces: FaceSet, folder: Path, device: torch.device, chosen: Precision
) -> tuple[Judge, Reference] | None:
    """The classifier with its features of the real faces."""
    if path is None:
        return None
    train = faces.splits["train"]
    judge = inputs.load_judge(path, device, chosen)
    print(f"judge: {path}")
    cache = folder / "judge_reference.npz"
    return judge, score.reference(judge, train.images, train.labels, cache=cache)


# --- what is said --------------------------------------------------------------------------------


def _introduce(
    job: TrainGan,
    recipe: GanRecipe,
    material: GanFaces,
    trainer: sg.Trainer,
    plan: Plan,
    device: torch.device,
    chosen: Precision,
) -> None:
    sizes = [
        sum(p.numel() for p in net.parameters()) / 1e6
        for net in (trainer.generator, trainer.discriminator)
    ]
    several = f", {processes.count()} processes" if processes.count() > 1 else ""
    print(
        f"{recipe.name} at {recipe.res} px (G {sizes[0]:.2f} M, D {sizes[1]:.2f} M parameters) on "
        f"{job.data.name} ({len(material.labels):,} faces), {runs.hardware(device)}{several}, "
        f"{chosen.name}"
    )
    condition = "one-hot classes" if recipe.conditional else "no condition"
    if recipe.scalar_label:
        condition = "the class as one number (gan.scalar_label: measures a mistake)"
    print(f"{condition}; faces of each class:\n{gan_faces.histogram(material.class_counts)}")
    if recipe.class_sampling != "natural":
        shares = gan_faces.class_shares(material.labels, recipe.class_sampling)
        shown = ", ".join(f"{n} {100 * s:.1f} %" for n, s in zip(CLASSES, shares, strict=True))
        print(f"shown and asked for ({recipe.class_sampling}): {shown}")
    print(f"run: {plan.folder}")
    if plan.state is not None:
        print(f"going on from the state of {trainer.images / 1000:.1f} kimg")


def _summary(folder: Path, kimg: float, best: dict[str, Any]) -> str:
    lines = [f"{kimg:.1f} kimg done; samples: {folder / SAMPLES}"]
    if best:
        accuracy = best["class_accuracy"]
        shown = "" if accuracy is None else f", class accuracy {accuracy:.3f}"
        lines.append(f"best at {best['kimg']:.1f} kimg: distance {best['distance']:.2f}{shown}")
    return "\n".join([*lines, f"draw from it: ferbench synth gan={folder}"])
