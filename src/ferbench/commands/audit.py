"""`ferbench audit`: what a synthetic set gives away of the faces behind its generator."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor
from tqdm import tqdm

from ferbench import checkpoint, generators, precision, report, results
from ferbench import run as runs
from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.commands import audit_data, inputs
from ferbench.data import batches, resize
from ferbench.data.face_set import FaceSet
from ferbench.data.synthetic_set import SyntheticSet
from ferbench.errors import UserError
from ferbench.generators import TrainedGenerator
from ferbench.judge import Judge
from ferbench.precision import Precision
from ferbench.privacy import audit, networks, pages, pictures, real, views
from ferbench.privacy.attacks import Inversion
from ferbench.privacy.audit import AttackResult, Options
from ferbench.privacy.real import Real
from ferbench.row import AuditRow
from ferbench.run import Record
from ferbench.schemas.audit import Audit

LEAST_IMAGES = 100
# Keys that do not change a result, or stand for what is hashed by its content.
NEUTRAL = (
    "outputs", "name", "set", "gan", "judge", "batch", "device", "force", "data", "show_real",
    *audit_data.KEYS,
)  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """What is read: the real faces, the set, who looks at both, and the generator if it is there.

    notes: what the reader of the report must know of them.
    """

    faces: FaceSet
    sample: SyntheticSet
    judge: Judge | None
    generator: TrainedGenerator | None
    notes: list[str]

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the set says of its generator."""
        found: Mapping[str, Any] = self.sample.manifest.get("generator") or {}
        return found


def run(job: Audit) -> None:
    """Audit the set, or say that it was done already; leave report, figures and a row."""
    if job.set == audit_data.SET:
        return audit_data.run(job)
    device = runs.resolve_device(job.device)
    chosen = precision.choose(job.precision, device)
    runs.keep_freed_memory()
    given = _inputs(job, device, chosen)
    identity = _identity(job, given, chosen)
    folder = _folder(job, given, identity)
    if inputs.is_done(folder, Path(job.outputs), "audits it again"):
        return
    config = yaml.safe_dump(asdict(job) | {"force": False}, sort_keys=False)
    with runs.recorded(folder, "audit", config, identity) as record:
        record.update(environment=runs.environment(device))
        _audit(job, given, identity, record, device)


def _audit(
    job: Audit, given: Inputs, identity: Mapping[str, Any], record: Record, device: torch.device
) -> None:
    began, folder = time.perf_counter(), record.folder
    print(f"run: {folder}")
    images = resize.resize(given.sample.images, IMAGE_PX)
    options = _options(job)
    with tqdm(disable=None, leave=False, bar_format="{desc} ({elapsed})") as bar:
        bar.set_description_str("the real images")
        found_real = _real(job, given)
        found = audit.run(
            images, given.sample.labels, found_real, options, seed=job.seed,
            on_step=bar.set_description_str,
        )  # fmt: skip
        added = _own_attacks(job, given, found_real, device, bar)
    found = replace(found, attacks=[*found.attacks, *added])
    checkpoint.save_json(folder / "metrics.json", pages.as_json(found))
    drawn = pictures.draw(folder, found, images=images if job.show_real else None)
    blocks = pages.blocks(
        found, _facts(given, found, record.facts["environment"]), given.notes, drawn,
        _again(job, given),
    )  # fmt: skip
    report.write(folder, f"Privacy audit of {given.sample.root.resolve().name}", blocks)
    row = _row(job, given, found, identity, record, time.perf_counter() - began)
    record.update(status="complete", finished=row.finished, row=asdict(row))
    results.append_row(Path(job.outputs) / "metrics.csv", row)
    print(pages.summary(found))
    for note in given.notes:
        print(f"note: {note}")
    print(f"report: {folder / report.HTML} ({row.seconds:.0f} s)")


# --- inputs --------------------------------------------------------------------------------------


def _inputs(job: Audit, device: torch.device, chosen: Precision) -> Inputs:
    """Everything that is read, checked before anything is computed."""
    faces = inputs.open_faces(job.data)
    sample = inputs.open_set(job.set, Path(job.outputs))
    if len(sample) < LEAST_IMAGES:
        raise UserError(f"set={sample.root}: {len(sample)} images; an audit needs {LEAST_IMAGES}")
    notes = _origin(sample, faces, job)
    px = sample.images.shape[-1]
    if px != IMAGE_PX:
        notes.append(f"The set's images have {px} pixels a side; {IMAGE_PX} were looked at.")
    judge = _judge(job, faces, device, chosen)
    generator = _generator(job, sample, faces, device, notes)
    if job.inversion.images and generator is None:
        reason = notes[-1] if job.gan.path == "auto" else "gan=none"
        raise UserError(
            f"inversion.images={job.inversion.images}: needs the generator ({reason.rstrip('.')}); "
            "expected gan=PATH"
        )
    if job.inversion.images and job.inversion.loss == "judge" and judge is None:
        raise UserError("inversion.loss=judge: there is no judge; expected pixels, or judge=PATH")
    return Inputs(faces, sample, judge, generator, notes)


def _origin(sample: SyntheticSet, faces: FaceSet, job: Audit) -> list[str]:
    """Refuse a set of a generator of other faces: there is nothing of these to give away."""
    facts = sample.manifest.get("generator") or {}
    seen, here = facts.get("data_hash"), faces.manifest["hashes"]["train"]
    if seen is None:
        return ["The set does not say what its generator learned from; it is taken to be the "
                "Training split at hand."]  # fmt: skip
    if seen != here:
        raise UserError(
            f"set={sample.root}: its generator learned from other faces (hash {seen[:12]}) than "
            f"the Training split of data={job.data.name} ({here[:12]}); expected that data"
        )
    return []


def _judge(
    job: Audit, faces: FaceSet, device: torch.device, chosen: Precision
) -> Judge | None:  # fmt: skip
    """The judge that the key names, or the best there is."""
    if job.judge == "none":
        return None
    outputs, data_hash = Path(job.outputs), faces.manifest["hashes"]["train"]
    auto = job.judge == "auto"
    path = inputs.find_judge(outputs, data_hash) if auto else Path(job.judge)
    if path is None:
        raise UserError(
            f"judge=auto: no run of a classifier on the Training split of data={job.data.name} "
            f"below {outputs / 'classify'}; `ferbench classify model=cnn data={job.data.name}` "
            "trains one, judge=none does without"
        )
    judge = inputs.load_judge(path, device, chosen)
    print(f"judge: {path}")
    return judge


def _generator(
    job: Audit, sample: SyntheticSet, faces: FaceSet, device: torch.device, notes: list[str]
) -> TrainedGenerator | None:
    """The generator of the set: the one that the key names, or the manifest; a note if none."""
    facts = sample.manifest.get("generator") or {}
    named = facts.get("source") if job.gan.path == "auto" else job.gan.path
    if job.gan.path == "none":
        return None
    if named is None or (job.gan.path == "auto" and not Path(named).exists()):
        notes.append("The generator is not at hand, so its discriminator was not asked.")
        return None
    found = generators.load(named, device=device)
    if job.gan.path == "auto" and found.sha256 != facts.get("sha256"):
        notes.append(f"{named} is not the generator of this set any more: its discriminator was "
                     "not asked.")  # fmt: skip
        return None
    trained_on = found.facts.get("data_hash", faces.manifest["hashes"]["train"])
    if trained_on != faces.manifest["hashes"]["train"] or found.classes not in ((), CLASSES):
        raise UserError(f"gan={named}: learned from other faces than data={job.data.name}")
    if found.discriminator is None:
        notes.append("The generator's file holds no discriminator to ask.")
    return found


# --- measuring -----------------------------------------------------------------------------------


def _options(job: Audit) -> Options:
    how = job.privacy
    return Options(
        how.near_correlation, how.quantile, how.alpha, how.bootstrap, how.control_images,
        how.percents,
    )  # fmt: skip


def _real(job: Audit, given: Inputs) -> Real:
    """The real images in their spaces; how alike they are is computed once for these faces."""
    name = f"partners_{runs.hash_of(given.faces.manifest['hashes'])[:16]}.npy"
    best = real.known_partners(given.faces, Path(job.outputs) / "audit" / name)
    encoders = {"pixels": views.pixels, "gradients": views.gradients}
    judge = given.judge
    if judge is not None:
        encoders["judge"] = lambda images: views.unit(
            judge.describe(images, batch=job.batch).features
        )
    return Real(
        given.faces, best, encoders, drop=job.privacy.drop_correlation, cells=job.privacy.cells,
        rng=np.random.default_rng([job.seed, 10]),
    )  # fmt: skip


def _own_attacks(
    job: Audit, given: Inputs, real: Real, device: torch.device, bar: Any
) -> list[AttackResult]:
    """The attacks that need the generator's networks."""
    if given.generator is None:
        return []
    how, judge = job.inversion, given.judge

    def features(images: Tensor) -> Tensor:
        assert judge is not None
        found: Tensor = judge.model.embed(batches.channels_last(images))
        return found

    inversion = Inversion(how.steps, how.rate, how.batch, features if how.loss == "judge" else None)
    return networks.run(
        given.generator, real, inversion, images=how.images, rounds=job.privacy.bootstrap,
        seed=job.seed, device=device, on_step=bar.set_description_str,
    )  # fmt: skip


# --- what is left --------------------------------------------------------------------------------


def _identity(job: Audit, given: Inputs, chosen: Precision) -> dict[str, Any]:
    """What the numbers depend on: the hashes of all that was read, and the settings."""
    config = {key: value for key, value in asdict(job).items() if key not in NEUTRAL}
    return config | {
        "precision": chosen.name,
        "set": given.sample.manifest["hash"],
        "real": given.faces.manifest["hashes"],
        "judge": None if given.judge is None else given.judge.hash,
        "generator": None if given.generator is None else given.generator.sha256,
        "pictures": job.show_real,
    }


def _folder(job: Audit, given: Inputs, identity: Mapping[str, Any]) -> Path:
    """outputs/audit/<set>_<hash>: the same set, the same audit, the same folder."""
    name = job.name or given.sample.root.resolve().name
    folder = Path(job.outputs) / "audit" / f"{name}_{runs.hash_of(identity)[:8]}"
    return runs.free_folder(folder) if job.force else folder


def _row(
    job: Audit, given: Inputs, found: audit.Audit, identity: Mapping[str, Any], record: Record,
    seconds: float,
) -> AuditRow:  # fmt: skip
    facts = given.facts
    kimg = facts.get("kimg")
    return AuditRow(
        **runs.row_columns(record, Path(job.outputs), identity, seconds=seconds),
        command="audit",
        seed=job.seed,
        data=job.data.name,
        data_hash=given.faces.manifest["hashes"]["train"],
        precision=identity["precision"],
        set_name=given.sample.root.resolve().name,
        set_hash=given.sample.manifest["hash"],
        generator=facts.get("sha256"),
        kimg=None if kimg is None else float(kimg),
        judge_name=None if given.judge is None else given.judge.name,
        judge_hash=None if given.judge is None else given.judge.hash,
        **pages.row_columns(found),
    )


def _facts(
    given: Inputs, found: audit.Audit, environment: Mapping[str, Any]
) -> dict[str, str]:  # fmt: skip
    """What was compared with what, for the head of the report."""
    facts, counts = given.facts, given.sample.manifest["counts"]
    made = [f"{key} {facts[key]}" for key in ("kimg", "data", "source") if key in facts]
    left = ", ".join(f"{n:,} of {split}" for split, n in found.dropped.items())
    return {
        "set": f"`{given.sample.root.resolve().name}`, {found.images:,} images "
               f"({', '.join(f'{name} {n:,}' for name, n in counts.items())}), hash "
               f"`{given.sample.manifest['hash'][:12]}`",
        "training images": f"{found.members:,} of Training",
        "held-out images": f"{found.held:,} of PublicTest and PrivateTest",
        "left out": f"{left}: a near copy of another real image",
        "searched for copies": f"all {len(given.faces.splits['train']):,} of Training",
        "judge": "-" if given.judge is None else
                 f"`{given.judge.name}`, hash `{given.judge.hash[:12]}`",
        "generator": ", ".join(made) or "-",
        "software": f"ferbench {environment['code_version']}, torch "
                    f"{environment['packages']['torch']}, on {environment['hardware']}",
    }  # fmt: skip


def _again(job: Audit, given: Inputs) -> str:
    """The command that gives these numbers again."""
    words = {
        "set": given.sample.root, "gan": job.gan.path, "judge": job.judge, "data": job.data.name,
        "seed": job.seed, "inversion.images": job.inversion.images, "outputs": job.outputs,
    }  # fmt: skip
    return shlex.join(["ferbench", "audit", *(f"{key}={value}" for key, value in words.items())])
