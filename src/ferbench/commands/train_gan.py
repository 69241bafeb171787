"""`ferbench train-gan`: train a conditional GAN on faces: reports, states, its best weights."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import stylegan2_ada as sg
from ferbench import runs
from ferbench.classes import CLASSES
from ferbench.classifiers.judge import Judge
from ferbench.commands import generators, inputs, judges, measured, plans
from ferbench.commands.judges import Wanted
from ferbench.commands.measured import Outcome
from ferbench.commands.train_gan_plan import Plan, plan_of, recipe_of, run_of, settings_of
from ferbench.config.train_gan import TrainGan
from ferbench.data.face_set import Faces
from ferbench.errors import UserError
from ferbench.gan import faces as gan_faces
from ferbench.gan import score, setup, weights
from ferbench.gan.memory import training_bytes
from ferbench.gan.reports import Reports
from ferbench.gan.samples import SAMPLES
from ferbench.gan.score import Reference
from ferbench.gan.setup import Setting, Shards, Training
from ferbench.gan.trained import TrainedGenerator
from ferbench.gan.weights import STATE
from ferbench.recipes.gan import GanRecipe
from ferbench.runs import Compute, Interrupted, Record, StopSignal, loggers, memory, processes
from ferbench.runs.loggers import open_logger

COMPILERS = ("torch._dynamo", "torch._inductor")  # whose errors are of torch.compile
TICK_SEEDS = range(8)  # of the samples whose diversity is reported


def run(job: TrainGan) -> Path:
    """Train until total_kimg were shown, or go on where a run was stopped; the run's folder."""
    compute = Compute.choose(job.device, job.precision)
    loggers.require(job.logger.name)
    if job.plan:
        return plans.show("train-gan", job, plans.of_gan(job), compute)
    compute = replace(compute, device=processes.own_device(compute.device))
    runs.graphs_wanted("gan.graphs", job.gan.graphs, compute.device)
    runs.keep_freed_memory()
    half = compute.precision.name != "fp32"
    with processes.group(compute.device), runs.fastest_kernels(compute.device, tf32=half):
        start = generators.load_to_resume(job.resume, compute.device)
        recipe = recipe_of(job, start)
        faces = inputs.open_faces(job.data)
        wanted = Wanted(
            Path(job.outputs),
            judges.real_faces(job.data.name, faces),
            without="nothing scores the samples, and the latest weights count as best",
            any_faces=True,
        )
        this = run_of(job, recipe, faces, start, compute)
        plan = processes.from_first(lambda: plan_of(this, recipe, wanted))
        if plan.done:
            return plan.folder
        judge = None
        if plan.judge is not None and processes.is_first():
            judge = judges.load(plan.judge, wanted, compute)
        train = faces.splits["train"]
        setting = Setting(job.seed, compute.precision.name, compute.device)
        training = _training(recipe, train, start, plan, setting)
        if processes.count() == 1 and memory.available(compute.device) is not None:
            needed = training_bytes(training)
            memory.check(needed, compute.device, f"gan.batch={recipe.batch}")
        if not processes.is_first():
            with StopSignal() as signal:
                _loop(training, None, signal)
            return plan.folder

        def work(record: Record) -> Outcome:
            _introduce(job, training, plan, compute)
            with_reference = None if judge is None else _with_reference(judge, train, plan)
            return _train(job, training, plan, with_reference, record)

        return measured.run(this, work)


def _training(
    recipe: GanRecipe, train: Faces, start: TrainedGenerator | None, plan: Plan, setting: Setting
) -> Training:
    """Networks, loop and batches, where the plan's state left them."""
    faces = gan_faces.prepare(
        train.images,
        train.labels,
        res=recipe.res,
        conditional=recipe.conditional,
        scalar_label=recipe.scalar_label,
        channels=1 if start is None else start.network.config.img_channels,
    )
    shards = Shards(plan.shards, processes.own_part(plan.shards))
    trainer = setup.trainer(recipe, faces, setting, shards, start=start)
    batches = setup.real_batches(recipe, faces, setting)
    training = Training(recipe, faces, trainer, batches, settings_of(recipe))
    if plan.state is not None:
        _go_on_from(plan, training)
    return training


def _go_on_from(plan: Plan, training: Training) -> None:
    """Take the plan's state; UserError if it is not one of this run."""
    assert plan.state is not None
    try:
        training.trainer.load_state_dict(plan.state["trainer"])
        training.batches.load_state_dict(plan.state["batches"])
    except (LookupError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{plan.folder / STATE}: not a state of this run ({reason})") from None


def _with_reference(judge: Judge, train: Faces, plan: Plan) -> tuple[Judge, Reference]:
    """The classifier with its features of the real faces."""
    cache = plan.folder / "judge_reference.npz"
    return judge, score.reference(judge, train.images, train.labels, cache=cache)


# --- training ------------------------------------------------------------------------------------


def _train(
    job: TrainGan,
    training: Training,
    plan: Plan,
    judge: tuple[Judge, Reference] | None,
    record: Record,
) -> Outcome:
    """In the first process: train with reports, and end as complete or as interrupted."""
    logger = open_logger(
        job.logger.name,
        plan.folder,
        config=asdict(job),
        project=job.logger.project,
        address=job.logger.address,
        first_step=len(weights.history_of(plan.state)) + 1,
    )
    facts = {
        "run": plan.folder.name,
        "gan": training.recipe.name,
        "seed": job.seed,
        "data": job.data.name,
        "data_hash": record.facts["inputs"]["train"],
        "code_version": runs.code_version(),
    }
    reports = Reports(
        plan.folder, training, judge=judge, logger=logger, facts=facts, state=plan.state
    )
    with StopSignal() as signal:
        _loop(training, reports, signal)
    if training.kimg < training.recipe.total_kimg:
        raise Interrupted(
            f"stopped after {training.kimg:.1f} kimg, the state is saved; go on with "
            f"`ferbench train-gan resume={plan.folder}`",
            signal.received,
        )
    lines = _summary(plan.folder, training.kimg, reports.best)
    warnings = () if judge is None else judge[0].warnings
    facts = {"kimg": training.kimg, "best": reports.best}
    return Outcome(lines, facts=facts, warnings=warnings)


def _loop(training: Training, reports: Reports | None, signal: StopSignal) -> None:
    """The library's loop, in every process; states are gathered by all and saved by the first."""
    recipe, trainer = training.recipe, training.trainer
    ticks = 0

    def on_tick(tick: sg.Tick) -> None:
        nonlocal ticks
        ticks += 1
        if not all(map(math.isfinite, tick.diversity)):  # of the same numbers in every process
            raise FloatingPointError(
                f"the generator's images after {tick.images / 1000:.3g} kimg are not finite"
            )
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
            training.batches,
            total_images=round(recipe.total_kimg * 1000),
            tick_images=round(recipe.tick_kimg * 1000),
            tick_conditions=training.faces.class_conditions,
            tick_seeds=TICK_SEEDS,
            on_tick=on_tick,
            should_stop=should_stop,
        )
        if trainer.images < recipe.total_kimg * 1000:
            state = trainer.state_dict()
            if reports is not None:
                reports.save(state)
    except RuntimeError as error:
        if recipe.compile and type(error).__module__.startswith(COMPILERS):
            raise UserError(
                f"gan.compile=true: {str(error).strip().splitlines()[0]}; gan.compile=false does "
                "without, more slowly"
            ) from error
        raise
    except FloatingPointError as error:
        where = "" if reports is None else f"; {reports.last_state()}"
        raise FloatingPointError(
            f"gan.lr={recipe.lr:g}: {error}; expected a lower one, or precision=fp32{where}"
        ) from None
    finally:
        if reports is not None:
            reports.close()


# --- what is printed -----------------------------------------------------------------------------


def _introduce(job: TrainGan, training: Training, plan: Plan, compute: Compute) -> None:
    recipe, faces, trainer = training.recipe, training.faces, training.trainer
    sizes = [
        sum(p.numel() for p in net.parameters()) / 1e6
        for net in (trainer.generator, trainer.discriminator)
    ]
    several = f", {processes.count()} processes" if processes.count() > 1 else ""
    print(
        f"{recipe.name} at {recipe.res} px (G {sizes[0]:.2f} M, D {sizes[1]:.2f} M parameters) on "
        f"{job.data.name} ({len(faces.labels):,} faces), {compute.in_words}{several}"
    )
    condition = "one-hot classes" if recipe.conditional else "no condition"
    if recipe.scalar_label:
        condition = "the class as one number (gan.scalar_label: measures a mistake)"
    print(f"{condition}; faces of each class:\n{gan_faces.histogram(faces.class_counts)}")
    if recipe.class_sampling != "natural":
        shares = gan_faces.class_shares(faces.labels, recipe.class_sampling)
        shown = ", ".join(f"{n} {100 * s:.1f} %" for n, s in zip(CLASSES, shares, strict=True))
        print(f"shares of the classes in training ({recipe.class_sampling}): {shown}")
    if plan.state is not None:
        print(f"going on from the state of {training.kimg:.1f} kimg")


def _summary(folder: Path, kimg: float, best: dict[str, Any]) -> list[str]:
    lines = [f"{kimg:.1f} kimg done; samples: {folder / SAMPLES}"]
    if best:
        accuracy = best["class_accuracy"]
        shown = "" if accuracy is None else f", class accuracy {accuracy:.3f}"
        lines.append(f"best at {best['kimg']:.1f} kimg: distance {best['distance']:.2f}{shown}")
    return lines
