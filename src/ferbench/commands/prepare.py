"""`ferbench prepare`: FER2013 from the archive to a checked cache, with its duplicate table."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

from ferbench.classes import CLASSES
from ferbench.config.commands import Prepare
from ferbench.data import face_set, named_sets
from ferbench.data.face_set import Faces
from ferbench.data.fer2013 import kaggle, release
from ferbench.data.fer2013 import source as fer2013
from ferbench.data.named_sets import ToySize
from ferbench.errors import UserError
from ferbench.progress import counting
from ferbench.report.grid import Cell, Grid, terminal

WIDE = 200  # characters: the table is not cut
FORMAT = 2  # of what is cached beside the arrays; another number makes an old cache void


def run(job: Prepare) -> None:
    """Cache the source unless the cache fits it, and print what is in it."""
    began = time.perf_counter()
    if job.source == "toy":
        size, workers = ToySize(*job.data.toy.size), os.cpu_count() or 1
        faces = named_sets.open_toy(Path(job.data.folder), size, workers=workers, anew=job.force)
        manifest, folder = faces.manifest, faces.root
    else:
        source = kaggle.download() if job.source == "kaggle" else Path(job.source).expanduser()
        folder = Path(job.outputs) / "data" / "fer2013"
        manifest = _prepared(source, folder, job)
    print(_report(manifest))
    print(f"done: {folder} ({time.perf_counter() - began:.0f} s)")


def _prepared(source: Path, folder: Path, job: Prepare) -> dict[str, Any]:
    """The manifest of the cache, which is written first where it does not fit the source.

    Raises UserError if it holds another source's faces and `force` is not set.
    """
    wanted: dict[str, Any] = {
        "prepare": FORMAT,
        "fingerprint": fer2013.fingerprint(source),
        "allow_other_counts": job.allow_other_counts,
        "split_held_out": job.split_held_out,
        "near_correlation": job.near_correlation,
    }
    face_set.restore(folder)
    face_set.check_replaceable(folder)
    manifest = _fitting(source, folder, wanted, job)  # a disk that can only be read has no lock
    if manifest is not None:
        return manifest
    with face_set.at_work(folder):
        return _fitting(source, folder, wanted, job) or _written(source, folder, wanted, job)


def _fitting(
    source: Path, folder: Path, wanted: dict[str, Any], job: Prepare
) -> dict[str, Any] | None:
    """The manifest of the cache if it was made so, None if it is to be written.

    Raises UserError if it holds another source's faces and `force` is not set.
    """
    if job.force or not (folder / face_set.MANIFEST).exists():
        return None
    manifest = face_set.read_manifest(folder)
    if all(manifest.get(key) == value for key, value in wanted.items()):
        print(f"{source} is prepared already; force=true reads it again")
        return manifest
    if not _is_same_source(manifest, wanted["fingerprint"], _place(source)):
        raise UserError(_other_source(source, folder, manifest))
    return None


def _written(source: Path, folder: Path, wanted: dict[str, Any], job: Prepare) -> dict[str, Any]:
    """The manifest of the cache, made of the source."""
    splits, facts = _read(source, job)
    print(f"read {source} ({facts['kind']}); looking for copies")
    facts |= {**wanted, "place": _place(source)}
    with counting("compared") as show:
        named_sets.store(
            folder, splits, facts, near_correlation=job.near_correlation, on_progress=show
        )
    return face_set.read_manifest(folder)


def _place(source: Path) -> str:
    """What a path is known by without being named."""
    return hashlib.sha256(os.fsencode(source.resolve())).hexdigest()[:16]


def _read(source: Path, job: Prepare) -> tuple[dict[str, Faces], dict[str, Any]]:
    """The faces of each split, and what the manifest says of where they come from."""
    with counting("read") as show:
        splits, report = fer2013.read_source(
            source,
            allow_other_counts=job.allow_other_counts,
            split_held_out=job.split_held_out,
            on_progress=show,
        )
    hashes = {split: face_set.content_hash(faces) for split, faces in splits.items()}
    name, messages = release.set_name(source, hashes), list(report.messages)
    if name != release.NAME:
        messages.append(f"not the content of the FER2013 release: the set is called {name}")
    return splits, {
        "name": name,
        "source": source.name,
        "kind": report.kind,
        "converted": report.converted,
        "messages": messages,
    }


def _is_same_source(manifest: dict[str, Any], fingerprint: str, place: str) -> bool:
    """Whether the cache was made of this source, or of one of the same path that is no FER2013."""
    if manifest.get("fingerprint") == fingerprint:
        return True
    return manifest.get("name") != release.NAME and manifest.get("place") == place


def _other_source(source: Path, folder: Path, manifest: dict[str, Any]) -> str:
    images = sum(sum(by_class.values()) for by_class in manifest["counts"].values())
    origin = f" of {manifest['source']}" if "source" in manifest else ""
    return (
        f"source={source}: {folder} holds {manifest.get('name')} ({images:,} images{origin}); "
        "force=true replaces it, outputs=FOLDER keeps both"
    )


def _report(manifest: dict[str, Any]) -> str:
    """Counts by split and class, and what the search for copies found, as text."""
    lines = [_counts(manifest["counts"]), *_copies(manifest)]
    if manifest.get("converted"):
        kinds = ", ".join(f"{n:,} of {kind}" for kind, n in manifest["converted"].items())
        lines.append(f"converted to 48 x 48 gray: {kinds}")
    return "\n".join([*lines, *manifest.get("messages", [])])


def _counts(counts: dict[str, dict[str, int]]) -> str:
    """Images of each split and class, as a table."""
    lines = [
        [Cell(split), *(Cell(f"{n:,}") for n in (*by_class.values(), sum(by_class.values())))]
        for split, by_class in counts.items()
    ]
    columns = ["split", *CLASSES, "all"]
    numeric = [False] + [True] * (len(columns) - 1)
    table = Grid("images of each class", "", columns, lines, numeric, best=set(), leading=1)
    return terminal(table, WIDE)


def _copies(manifest: dict[str, Any]) -> list[str]:
    """What the search for copies found, one line a number."""
    duplicates = manifest["duplicates"]
    same = duplicates["identical"]
    rows = [
        ("groups of identical images", same["groups"]),
        ("  redundant copies in them", same["redundant_copies"]),
        ("  groups across splits", same["groups_across_splits"]),
        ("  groups with conflicting labels", same["groups_with_conflicting_labels"]),
        ("blank images", duplicates["blank_images"]),
    ]
    if "near_correlation" in manifest:
        near, least = duplicates["near"], manifest["near_correlation"]
        rows += [
            (f"near-identical pairs (aligned correlation {least:.2f} or more)", near["pairs"]),
            ("mirrored pairs", near["mirrored_pairs"]),
            ("  near or mirrored pairs across splits", near["pairs_across_splits"]),
        ]
    for split, facts in duplicates["splits"].items():
        rows += [
            (f"{split} images identical to one of {key.removeprefix('identical_to_')}", number)
            for key, number in facts.items()
            if key.startswith("identical_to_")
        ]
    width = max(len(label) for label, _ in rows)
    return [f"{label:<{width}}  {number:>8,}" for label, number in rows]
