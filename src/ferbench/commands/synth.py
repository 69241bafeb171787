"""`ferbench synth`: a synthetic set from a trained generator, with pictures and exports of it."""

from __future__ import annotations

import errno
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ferbench import runs
from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.classifiers.judge import Judge
from ferbench.commands import drawing, generators, inputs, judges, measured
from ferbench.commands.drawing import Plan
from ferbench.commands.judges import RealFaces, Wanted
from ferbench.commands.measured import Outcome, Run
from ferbench.config.synth import GanSource, Synth
from ferbench.data import contact_sheets, export, synthetic_set
from ferbench.data.synthetic_set import SetWriter
from ferbench.errors import UserError
from ferbench.gan import gate as gates
from ferbench.gan import pictures, trained
from ferbench.gan.sampler import Sampler, Stopped, stream
from ferbench.gan.trained import TrainedGenerator
from ferbench.runs import Compute, Interrupted, Record, StopSignal

GATE_IMAGES = 7000  # the judge looks at so many
SPARE_BYTES = 2**24  # for manifest, pictures and the file system


def run(job: Synth) -> Path:
    """Draw the set if it is not there, then the pictures and the export asked for; its folder."""
    compute = Compute.choose(job.device, job.precision)
    source = generators.choose_or_shipped(job.gan.path, Path(job.outputs))
    generator = generators.load(source, "gan", compute.device)
    plan = drawing.plan(job, generator)
    sampler = drawing.sampler(job, generator, compute)
    _check_pictures(job, sampler)
    this = _run_of(job, sampler, plan, compute)
    judge = None
    if not measured.is_done(this):
        _check_room(this.folder, plan.n, sampler.image_px)
        judge = _judge(job, generator, plan, compute)

    def work(record: Record) -> Outcome:
        px, source = sampler.image_px, generator.source
        print(f"{plan.n:,} images of {px} px from {source}, {compute.in_words}")
        return _make(job, sampler, plan, judge, record)

    with _disk_errors(this.folder):
        measured.run(this, work)
        _extras(job, this.folder, sampler, plan)
    return this.folder


def _run_of(job: Synth, sampler: Sampler, plan: Plan, compute: Compute) -> Run:
    """The run that draws the set: the same generator and settings, the same folder."""
    generator = sampler.generator
    return Run(
        replace(job, gan=GanSource(generator.source)),
        "synth",
        job.name or f"{_name_of(generator.source)}_n{plan.n}_s{job.seed}",
        {"generator": generator.sha256},
        compute,
        chosen={"counts": plan.counts, "device": compute.device.type},
        is_whole=inputs.is_whole_set,
    )


def _judge(job: Synth, generator: TrainedGenerator, plan: Plan, compute: Compute) -> Judge | None:
    """A classifier of the real faces that the generator learned from."""
    data_hash = generator.facts.get("data_hash")
    if plan.classes != CLASSES or (job.judge == "auto" and data_hash is None):
        return None
    faces = RealFaces(f"data={generator.facts.get('data', 'real')}", str(data_hash))
    without = "no class accuracy is measured"
    wanted = Wanted(Path(job.outputs), faces, without=without, any_faces=True)
    return judges.choose_and_load(job.judge, wanted, compute)


def _check_pictures(job: Synth, sampler: Sampler) -> None:
    """Refuse pictures that this generator cannot give before anything is drawn."""
    if job.interpolate is not None:
        pictures.check_pair(job.interpolate, sampler.generator.classes)
    if job.style_mix:
        pictures.check_layers(sampler)


# --- the set -------------------------------------------------------------------------------------


def _name_of(source: str) -> str:
    """A file name for a generator: its run's folder, or its file."""
    path = Path(source)
    of_a_run = path.name in (trained.BEST, trained.LATEST)
    stem = path.parent.resolve().name if of_a_run else path.stem
    return re.sub(r"[^\w.-]", "-", stem).strip(".-") or "generator"


def _make(job: Synth, sampler: Sampler, plan: Plan, judge: Judge | None, record: Record) -> Outcome:
    """Draw the set, from where an earlier run was stopped; its manifest comes last."""
    px = sampler.image_px
    labels = plan.labels
    with SetWriter(record.folder, plan.n, px, resume=True) as writer:
        speed = _draw(job, sampler, writer, labels)
        facts, lines = _facts(job, sampler, plan), []
        if plan.classes == CLASSES:
            facts["gate"] = _gate(judge, writer, labels)
            lines.append(gates.describe(facts["gate"]))
        writer.finish(labels, facts, plan.classes)
    lines.append(", ".join(f"{name} {count:,}" for name, count in plan.counts.items()))
    if plan.classes == CLASSES and px != IMAGE_PX:
        lines.append(
            f"the images have {px} px; commands that compare them with real faces resize them to "
            f"{IMAGE_PX}"
        )
    return Outcome(lines=lines, facts=speed, warnings=() if judge is None else judge.warnings)


def _draw(job: Synth, sampler: Sampler, writer: SetWriter, labels: np.ndarray) -> dict[str, float]:
    """Draw what is missing; how many images that were, in what time."""
    first, began = writer.done, time.monotonic()
    if first:
        print(f"going on after {first:,} images")
    try:
        with StopSignal() as signal:
            stop = lambda: bool(signal.received)  # noqa: E731
            stream(sampler, writer, labels, seed=job.seed, should_stop=stop)
    except Stopped as stopped:
        raise Interrupted(
            f"{stopped} of {len(labels):,}, which are kept; the same command goes on",
            signal.received,
        ) from None
    seconds, drawn = time.monotonic() - began, writer.done - first
    speed = drawn / max(seconds, 1e-9)
    print(f"{drawn:,} images in {seconds:.1f} s ({speed:,.0f} images/s)")
    return {"seconds": seconds, "images_drawn": drawn, "images_per_second": speed}


def _gate(judge: Judge | None, writer: SetWriter, labels: np.ndarray) -> dict[str, Any]:
    """Class accuracy and diversity of the first images.

    The classes alternate, so the first images are as balanced as all.
    """
    writer.save_progress()
    shown = labels[:GATE_IMAGES]
    images = np.load(writer.root / synthetic_set.IMAGES, mmap_mode="r")[: len(shown)]
    return gates.gate(judge, images, shown)


def _facts(job: Synth, sampler: Sampler, plan: Plan) -> dict[str, Any]:
    """What the manifest says besides classes, counts and hash."""
    generator, native = sampler.generator, sampler.config.img_resolution
    resized = {"from_px": native, "method": job.resize} if sampler.image_px != native else None
    return {
        "generator": {**generator.facts, "sha256": generator.sha256, "source": generator.source},
        "seeds": {"first": job.seed, "count": plan.n, "rule": "image i has first + i"},
        "truncation": asdict(sampler.truncation),
        "noise": job.noise,
        "precision": sampler.precision.name,
        "resized": resized,
    }


def _check_room(folder: Path, n: int, image_px: int) -> None:
    """Refuse a set that the disk has no room for before anything is written."""
    existing = next(path for path in folder.absolute().parents if path.exists())
    free = shutil.disk_usage(existing).free
    needed = synthetic_set.bytes_needed(folder, n, image_px) + SPARE_BYTES
    if free < needed:
        raise UserError(
            f"n={n}: needs {needed / 1e6:,.0f} MB below {existing}, {free / 1e6:,.0f} MB are free; "
            "expected a smaller set or another outputs="
        )


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """A full disk as one line."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"{folder}: the disk is full; what was written is kept, the same command goes on"
        ) from None


# --- pictures and exports ------------------------------------------------------------------------


def _extras(job: Synth, folder: Path, sampler: Sampler, plan: Plan) -> None:
    """Contact sheets where they are missing; the pictures and the export that are asked for."""
    shown = [name for name, count in plan.counts.items() if count]
    sheets = not all((folder / contact_sheets.file_name(name)).exists() for name in shown)
    drawn = job.grid or job.interpolate is not None or job.style_mix or job.truncation_sheet
    if not (sheets or drawn or job.export != "none"):
        return  # a disk that can only be read has no lock
    with runs.alone(folder, "this set"):
        if sheets:
            subtitle = f"psi {job.psi:g}, {_name_of(sampler.generator.source)}"
            contact_sheets.write(folder, classes=plan.classes, subtitle=subtitle)
            print(f"wrote {folder / contact_sheets.file_name('<class>')}")
        for path in [*_pictures(job, folder, sampler), *_exported(job, folder, plan)]:
            print(f"wrote {path}")


def _pictures(job: Synth, folder: Path, sampler: Sampler) -> list[Path]:
    written = []
    if job.grid:
        written += pictures.grid(folder, sampler, seed=job.seed)
    if job.interpolate is not None:
        written += pictures.interpolation(folder, sampler, job.interpolate, seed=job.seed)
    if job.style_mix:
        written += pictures.style_mix(folder, sampler, seed=job.seed)
    if job.truncation_sheet:
        written += pictures.truncation(folder, sampler, seed=job.seed)
    return written


def _exported(job: Synth, folder: Path, plan: Plan) -> list[Path]:
    if job.export == "none":
        return []
    name, write = export.EXPORTS[job.export]
    write(folder, folder / name, classes=plan.classes, first_seed=job.seed)
    return [folder / name]
