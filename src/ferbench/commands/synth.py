"""`ferbench synth`: a synthetic set from a trained generator, with pictures and exports of it."""

from __future__ import annotations

import errno
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ferbench import runs
from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.commands import inputs
from ferbench.config.synth import Synth
from ferbench.data import contact_sheets, export, label_counts, synthetic_set
from ferbench.data.synthetic_set import SetWriter
from ferbench.errors import UserError
from ferbench.gan import gate as gates
from ferbench.gan import pictures, trained
from ferbench.gan.sampler import Rendering, Sampler, Stopped, Truncation, stream
from ferbench.gan.trained import TrainedGenerator
from ferbench.runs import Interrupted, Record, StopSignal, precision

# Keys that do not change the set, or that generator and counts say better.
NEUTRAL = (
    "outputs",
    "name",
    "gan",
    "n",
    "balance",
    "force",
    "export",
    "grid",
    "interpolate",
    "style_mix",
    "truncation_sheet",
    "judge",
)
NO_CLASS = "image"  # what the images of an unconditional generator are called
FILE_NAME = re.compile(r"\w[\w .-]*")
GATE_IMAGES = 7000  # the judge looks at so many
SPARE_BYTES = 2**24  # for manifest, pictures and the file system


@dataclass(frozen=True)
class Plan:
    """What is to be drawn: the classes in the order of the labels, and how many images of each."""

    classes: tuple[str, ...]
    counts: dict[str, int]

    @property
    def n(self) -> int:
        """Number of images."""
        return sum(self.counts.values())


def run(job: Synth) -> Path:
    """Draw the set if it is not there, then the pictures and the export asked for; its folder."""
    device = runs.resolve_device(job.device)
    runs.keep_freed_memory()
    source = job.gan.path or inputs.newest_generator(Path(job.outputs), "gan")
    generator = inputs.load_generator(source, "gan", device)
    classes = _classes(job, generator)
    plan = Plan(classes, _counts(job, generator, classes))
    drawer = Sampler(
        generator,
        Truncation(job.psi, job.cutoff, job.center, job.center_latents),
        Rendering(
            job.noise,
            precision.choose(job.precision, device),
            out_px=job.out_px,
            resize=job.resize,
            batch=job.batch,
        ),
    )
    _check_pictures(job, drawer)
    folder = _folder(job, drawer, plan)
    with _disk_errors(folder):
        if not _is_done(folder):
            _make(job, folder, drawer, plan)
        _extras(job, folder, drawer, plan)
    return folder


# --- what is to be drawn -------------------------------------------------------------------------


def _classes(job: Synth, generator: TrainedGenerator) -> tuple[str, ...]:
    """Names of the labels; UserError if they are not the expressions and were not asked for."""
    found = generator.classes
    if job.labels == "own":
        names = found or (NO_CLASS,)
        if len(set(names)) < len(names) or not all(map(FILE_NAME.fullmatch, names)):
            raise UserError(f"gan={generator.source}: its classes cannot be names of files")
        return names
    if found != CLASSES:
        has = f"its classes are {', '.join(found)}" if found else "it was trained without classes"
        raise UserError(
            f"gan={generator.source}: {has}; expected {', '.join(CLASSES)}, "
            "or labels=own for a set to look at and export"
        )
    return CLASSES


def _counts(job: Synth, generator: TrainedGenerator, classes: tuple[str, ...]) -> dict[str, int]:
    """Images of each class; UserError if the generator's file does not say what is asked of it."""
    if job.counts is not None:
        return label_counts.from_text(job.counts, classes)
    shares = _trained_on(generator, classes)
    if shares is None and (job.n is None or job.balance == "natural"):
        raise UserError(
            f"n={'null' if job.n is None else job.n} balance={job.balance}: this generator's file "
            "does not say how many images of each class it was trained on; expected n=NUMBER with "
            "balance=equal, or counts=angry:500,happy:100"
        )
    n = sum((shares or {}).values()) if job.n is None else job.n
    if job.balance == "natural" and shares:
        return label_counts.natural(n, shares)
    return label_counts.equal(n, classes)


def _trained_on(generator: TrainedGenerator, classes: tuple[str, ...]) -> dict[str, int] | None:
    """Images of each class that the generator was trained on; None if its file does not say."""
    told = generator.facts.get("class_counts")
    if not isinstance(told, dict) or set(told) != set(classes):
        return None
    known = all(type(count) is int and count >= 0 for count in told.values())
    return {name: told[name] for name in classes} if known and any(told.values()) else None


def _check_pictures(job: Synth, drawer: Sampler) -> None:
    """Refuse pictures that this generator cannot give before anything is drawn."""
    if job.interpolate is not None:
        pictures.check_pair(job.interpolate, drawer.generator.classes)
    if job.style_mix:
        pictures.check_layers(drawer)


# --- the set -------------------------------------------------------------------------------------


def _folder(job: Synth, drawer: Sampler, plan: Plan) -> Path:
    """outputs/synth/<name>_<hash of generator and settings>: the same set, the same folder."""
    config = {key: value for key, value in asdict(job).items() if key not in NEUTRAL}
    config |= {"counts": plan.counts, "precision": drawer.precision.name}
    config |= {"device": drawer.precision.device_type, "generator": drawer.generator.sha256}
    name = job.name or f"{_name_of(drawer.generator.source)}_n{plan.n}_s{job.seed}"
    folder = Path(job.outputs) / "synth" / f"{name}_{runs.hash_of(config)[:8]}"
    return runs.free_folder(folder) if job.force else folder


def _name_of(source: str) -> str:
    """A file name for a generator: its run's folder, or its file."""
    path = Path(source)
    of_a_run = path.name in (trained.BEST, trained.LATEST)
    stem = path.parent.resolve().name if of_a_run else path.stem
    return re.sub(r"[^\w.-]", "-", stem).strip(".-") or "generator"


def _is_done(folder: Path) -> bool:
    complete = runs.status_of(folder).get("status") == "complete"
    if not (complete and (folder / synthetic_set.MANIFEST).exists()):
        return False
    print(f"done already: {folder} (force=true draws it again)")
    return True


def _make(job: Synth, folder: Path, drawer: Sampler, plan: Plan) -> None:
    """Draw the set of `folder`, from where an earlier run was stopped."""
    n, px = plan.n, drawer.image_px
    _check_room(folder, n, px)
    device = drawer.network.mapping.w_avg.device
    print(
        f"{n:,} images of {px} px from {drawer.generator.source}, {runs.hardware(device)}, "
        f"{drawer.precision.name}\nset: {folder}"
    )
    gan = {"path": drawer.generator.source}
    config = yaml.safe_dump(asdict(job) | {"force": False, "gan": gan}, sort_keys=False)
    read = {"generator": drawer.generator.sha256}
    with runs.recorded(folder, "synth", config, read) as record:
        record.update(environment=runs.environment(device))
        with SetWriter(folder, n, px, resume=True) as writer:
            if writer.done:
                print(f"going on after {writer.done:,} images")
            _draw(job, writer, drawer, plan, record)
        record.update(status="complete", finished=runs.now())
    print(", ".join(f"{name} {count:,}" for name, count in plan.counts.items()))
    if plan.classes == CLASSES and px != IMAGE_PX:
        print(
            f"the images have {px} px; classifiers take {IMAGE_PX}: out_px={IMAGE_PX} resizes them"
        )


def _draw(job: Synth, writer: SetWriter, drawer: Sampler, plan: Plan, record: Record) -> None:
    labels = label_counts.interleaved(list(plan.counts.values()))
    first, started = writer.done, time.monotonic()
    try:
        with StopSignal() as signal:
            stream(drawer, writer, labels, seed=job.seed, should_stop=lambda: bool(signal.received))
    except Stopped as stopped:
        raise Interrupted(
            f"{stopped} of {plan.n:,}, which are kept; the same command goes on", signal.received
        ) from None
    seconds, drawn = time.monotonic() - started, writer.done - first
    speed = drawn / max(seconds, 1e-9)
    record.update(seconds=seconds, images_drawn=drawn, images_per_second=speed)
    print(f"{drawn:,} images in {seconds:.1f} s ({speed:,.0f} images/s)")
    facts = _facts(job, drawer, plan)
    if plan.classes == CLASSES:
        facts["gate"] = _gate(job, writer, labels, drawer)
        print(gates.describe(facts["gate"]))
    writer.finish(labels, facts, plan.classes)


def _gate(job: Synth, writer: SetWriter, labels: np.ndarray, drawer: Sampler) -> dict[str, Any]:
    """What a classifier of the real faces that the generator learned from says of the first images.

    The classes alternate, so the first images are as balanced as all.
    """
    writer.save_progress()
    shown = labels[:GATE_IMAGES]
    images = np.load(writer.root / synthetic_set.IMAGES, mmap_mode="r")[: len(shown)]
    device, judge = drawer.network.mapping.w_avg.device, None
    path = None if job.judge in ("auto", "none") else Path(job.judge)
    if job.judge == "auto":
        data_hash = str(drawer.generator.facts.get("data_hash"))
        path = inputs.find_judge(Path(job.outputs), data_hash)
    if path is not None:
        judge = inputs.load_judge(path, device, drawer.precision)
    return gates.gate(judge, images, shown)


def _facts(job: Synth, drawer: Sampler, plan: Plan) -> dict[str, Any]:
    """What the manifest says besides classes, counts and hash."""
    generator, native = drawer.generator, drawer.config.img_resolution
    resized = {"from_px": native, "method": job.resize} if drawer.image_px != native else None
    return {
        "generator": {**generator.facts, "sha256": generator.sha256, "source": generator.source},
        "seeds": {"first": job.seed, "count": plan.n, "rule": "image i has first + i"},
        "truncation": asdict(drawer.truncation),
        "noise": job.noise,
        "precision": drawer.precision.name,
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
            f"{folder}: the disk is full; what is whole is kept, the same command goes on"
        ) from None


# --- pictures and exports ------------------------------------------------------------------------


def _extras(job: Synth, folder: Path, drawer: Sampler, plan: Plan) -> None:
    """Contact sheets where they are missing; the pictures and the export that are asked for."""
    shown = [name for name, count in plan.counts.items() if count]
    if not all((folder / contact_sheets.file_name(name)).exists() for name in shown):
        subtitle = f"psi {job.psi:g}, {_name_of(drawer.generator.source)}"
        contact_sheets.write(folder, classes=plan.classes, subtitle=subtitle)
    written = []
    if job.grid:
        written += pictures.grid(folder, drawer, seed=job.seed)
    if job.interpolate is not None:
        written += pictures.interpolation(folder, drawer, job.interpolate, seed=job.seed)
    if job.style_mix:
        written += pictures.style_mix(folder, drawer, seed=job.seed)
    if job.truncation_sheet:
        written += pictures.truncation(folder, drawer, seed=job.seed)
    if job.export != "none":
        name, write = export.EXPORTS[job.export]
        write(folder, folder / name, classes=plan.classes, first_seed=job.seed)
        written.append(folder / name)
    for path in written:
        print(f"wrote {path}")
