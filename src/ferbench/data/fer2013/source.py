"""FER2013, from any form in which people have it to checked arrays.

The data: I. Goodfellow et al., "Challenges in Representation Learning: A report on three machine
learning contests", ICONIP 2013. 35,887 faces of 48 x 48 pixels, 7 classes, 3 splits.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ferbench.classes import CLASSES, SPLITS
from ferbench.data.face_set import Faces
from ferbench.data.fer2013 import archive, csv_files, image_files
from ferbench.data.fer2013.archive import Files, Record, refusal
from ferbench.data.fer2013.gather import Gathered
from ferbench.data.fer2013.image_files import Layout
from ferbench.data.label_counts import counts_by_name
from ferbench.errors import UserError

# Images of the release by split, in the order of CLASSES.
RELEASE = {
    "train": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "public": (467, 56, 496, 895, 653, 415, 607),
    "private": (491, 55, 528, 879, 594, 416, 626),
}
RELEASE_IMAGES = sum(map(sum, RELEASE.values()))
MAX_IMAGES = 500_000  # 1.2 GB as arrays
PROGRESS_IMAGES = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SourceReport:
    """What a source was and what was done to it.

    kind: "zip" or "folder" of image files, "csv", "icml csv" or "train+test csv";
    counts: images by split and class; converted: number of images by what they were before
    ("RGB", "96x96", "RGB 96x96"); messages: other sentences for the user, most often none.
    """

    source: str
    kind: str
    fingerprint: str
    counts: dict[str, dict[str, int]]
    converted: dict[str, int]
    messages: tuple[str, ...]

    def to_manifest(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        return {**asdict(self), "messages": list(self.messages)}


def read_source(
    source: Path,
    *,
    allow_other_counts: bool,
    split_held_out: bool = False,
    on_progress: Progress | None = None,
) -> tuple[dict[str, Faces], SourceReport]:
    """The faces of each split of `SPLITS`, and a report on them.

    source: a zip or folder of images or CSV files, or a CSV. Image files come sorted by class and
    name, so that a zip and its unpacked folder give the same arrays; CSV rows in file order.
    allow_other_counts: take a source whose counts are not those of the release, such as a
    cleaned copy or another split; the report says so.
    split_held_out: divide the only held-out split into public and private (`gather.halves`).
    on_progress(done, expected): called every 256 images and at the end.
    Raises UserError, one line that names the file or row, for anything that cannot be read as
    FER2013: see `archive`, `archive_images` and `archive_csv`.
    """
    source = source.expanduser()
    with archive.open_files(source) as files:
        form = find_form(files, split_held_out=split_held_out)
        gathered = _gather(source, form, on_progress)
    splits = gathered.faces(RELEASE, split_held_out=split_held_out)
    counts = {split: counts_by_name(faces.labels) for split, faces in splits.items()}
    doubts = _count_messages(source, counts, allow_other_counts)
    messages = form.messages + gathered.messages + doubts
    messages += _reading(gathered.numbered) if doubts else ()
    key = fingerprint(source)
    converted = dict(gathered.converted.most_common())
    return splits, SourceReport(str(source), form.kind, key, counts, converted, messages)


def fingerprint(source: Path) -> str:
    """Identity of a source without reading it as FER2013: equal for equal content.

    "sha256:..." over the bytes of a file (of both files for train.csv and test.csv);
    "folder:..." over names, sizes and times of the files in a folder.
    Raises UserError if the source is not there.
    """
    source = source.expanduser()
    with archive.open_files(source) as files:
        if source.is_dir():
            return f"folder:{_folder_hash(source, files)}"
    hashes = [_file_hash(path) for path in archive.csv_paths(source)]
    whole = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
    return f"sha256:{whole}"


@dataclass(frozen=True)
class Form:
    """How a source holds FER2013: its records in order, and about how many there are."""

    kind: str
    records: Iterator[Record]
    expected: int
    messages: tuple[str, ...] = ()


def find_form(files: Files, *, split_held_out: bool) -> Form:
    """The form of a source, by its content: a whole CSV, then a pair of them, then images.

    split_held_out: as of `image_files.find_layout`.
    """
    tables = csv_files.tables(files)
    if table := csv_files.whole(files, tables):
        kind = "icml csv" if table.spaced else "csv"
        rest = (f"read {table.name}, not the other files",) if len(files.names) > 1 else ()
        return Form(kind, csv_files.records(files, table), RELEASE_IMAGES, rest)
    if halves := csv_files.pair(files, tables):
        text = f"{halves[1].name} has no Usage: its first half is PublicTest, the rest PrivateTest"
        records = csv_files.pair_records(files, *halves)
        return Form("train+test csv", records, RELEASE_IMAGES, (text,))
    if layout := image_files.find_layout(files, split_held_out=split_held_out):
        kind = "folder" if files.source.is_dir() else "zip"
        records = image_files.records(files, layout.members)
        return Form(kind, records, len(layout.members), _left_messages(files, layout))
    raise _no_form(files)


def _no_form(files: Files) -> UserError:
    """Why nothing was found: the columns that a lone CSV lacks, if it has any of them."""
    csvs = [name for name in files.names if name.lower().endswith(".csv")]
    known = csv_files.read_header(files, csvs[0]).columns if len(csvs) == 1 else {}
    if known:
        missing = [title for title in ("emotion", "pixels", "Usage") if title.lower() not in known]
        columns = " and ".join(f"'{title}'" for title in missing)
        text = f"{csvs[0]} has no column {columns}; expected emotion, pixels and Usage"
        return refusal(files.source, text)
    where = "the file" if files.names == [files.source.name] else f"its {len(files.names):,} files"
    packed = [name for name in files.names if name.lower().endswith((".zip", ".tar.gz", ".tgz"))]
    hint = f" (unpack {packed[0]})" if packed else ""
    return refusal(files.source, f"found no FER2013 in {where}{hint}; {archive.FORMS}")


def _left_messages(files: Files, layout: Layout) -> tuple[str, ...]:
    """What was not read: images elsewhere, and files of other kinds with those of file managers."""
    messages = []
    if layout.outside:
        text = f"{len(layout.outside):,} images outside the train and test folders were not read"
        messages.append(f"{text}, the first is {archive.printable(layout.outside[0])}")
    if others := sorted(layout.others + files.junk):
        messages.append(
            f"files that are no images, skipped: {len(others):,}, "
            f"the first is {archive.printable(others[0])}"
        )
    return tuple(messages)


def _gather(source: Path, form: Form, on_progress: Progress | None) -> Gathered:
    """All records of the source; UserError if there are too many."""
    gathered, done = Gathered(source), 0
    for done, record in enumerate(form.records, start=1):
        gathered.add(record)
        if done > MAX_IMAGES:
            raise refusal(source, f"over {MAX_IMAGES:,} images; expected {RELEASE_IMAGES:,}")
        if on_progress and done % PROGRESS_IMAGES == 0:
            on_progress(done, max(done, form.expected))
    if on_progress:
        on_progress(done, done)
    return gathered


def _count_messages(
    source: Path, counts: dict[str, dict[str, int]], allow_other_counts: bool
) -> tuple[str, ...]:
    """Nothing for the release's counts; else a message, or UserError if that is not allowed."""
    wrong = [text for split in SPLITS if (text := _difference(split, counts[split]))]
    if not wrong:
        return ()
    text = f"not the counts of the FER2013 release ({'; '.join(wrong)})"
    if not allow_other_counts:
        raise refusal(source, f"{text}; set allow_other_counts=true to accept it")
    return (text,)


def _reading(numbered: Counter[int]) -> tuple[str, ...]:
    """How labels as numbers were read, and that this may be wrong; nothing if there were none."""
    if not numbered:
        return ()
    parts = [f"{i}={name} ({numbered[i]:,} images)" for i, name in enumerate(CLASSES)]
    return (
        f"the labels are numbers and were read as {', '.join(parts)}",
        "the counts are not the release's, so this order is a guess: if your file has another "
        "order of classes, write words in the column emotion",
    )


def _difference(split: str, counts: dict[str, int]) -> str | None:
    """How the counts of a split differ from the release: in number, else class by class."""
    total, release = sum(counts.values()), dict(zip(CLASSES, RELEASE[split], strict=True))
    if total != sum(release.values()):
        return f"{split}: {total:,} images, expected {sum(release.values()):,}"
    wrong = [
        f"{name} {counts[name]:,}, expected {release[name]:,}"
        for name in CLASSES
        if counts[name] != release[name]
    ]
    return f"{split}: {', '.join(wrong)}" if wrong else None


def _folder_hash(source: Path, files: Files) -> str:
    digest = hashlib.sha256()
    for name in files.names:
        status = (source / name).stat()
        digest.update(
            f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "replace")
        )
    return digest.hexdigest()


def _file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
