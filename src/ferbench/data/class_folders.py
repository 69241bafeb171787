"""Images of any generator in folders named by class, as a synthetic set.

What `ferbench synth export=folder` and `export=zip` leave is such a folder or zip, too.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.data import label_counts, synthetic_set
from ferbench.data.fer2013 import archive, class_names, image_files, source
from ferbench.data.fer2013.archive import Files
from ferbench.data.synthetic_set import IMAGES, MANIFEST, SetWriter, SyntheticSet
from ferbench.errors import UserError
from ferbench.files import locked

READER = 1  # to be raised when the same files give other pixels: sets in the cache are made again
MAX_PX = 256  # a side; images that are larger are made smaller when they are read


@dataclass(frozen=True)
class ClassFolders:
    """The image files of a set, and the paths of the files that are none of it.

    by_class: paths of the images of each class, in the order of `CLASSES`.
    """

    by_class: list[list[str]]
    outside: list[str]
    others: list[str]

    @property
    def counts(self) -> list[int]:
        """Images of each class."""
        return [len(paths) for paths in self.by_class]

    def in_order(self) -> tuple[list[str], np.ndarray]:
        """Paths and labels [N] int64, the classes spread so that every prefix has their shares.

        Within a class by name. `ferbench synth` has the same order, so what it exported is read as
        the set that it was.
        """
        labels = label_counts.interleaved(self.counts)
        next_of = [iter(paths) for paths in self.by_class]
        return [next(next_of[label]) for label in labels], labels


def is_one(root: Path) -> bool:
    """Whether `root` is a zip, or a folder without a set of `synthetic_set` but with images."""
    if root.is_file():
        return zipfile.is_zipfile(root)
    if not root.is_dir() or (root / IMAGES).exists():
        return False
    with _as_set_errors(), archive.open_files(root) as files:
        return any(map(_label, files.names))


def read(root: Path, cache: Path) -> SyntheticSet:
    """The set in the folder or zip `root`; its files are read once, and its arrays kept in `cache`.

    Images keep their size if they are squares of one size of at most `MAX_PX`; otherwise they
    become squares of 48 pixels, as `ferbench prepare` makes them. The manifest says nothing of a
    generator or of seeds, which nobody knows. What was converted or left out is printed.
    Raises UserError, one line that names the file, for what cannot be read.
    """
    with _as_set_errors():
        key = f"{READER} {source.fingerprint(root)}"
        folder = cache / hashlib.sha256(key.encode()).hexdigest()[:16]
        cache.mkdir(parents=True, exist_ok=True)
        if not (folder / MANIFEST).exists():
            with locked(cache / f".{folder.name}.lock"), archive.open_files(root) as files:
                if not (folder / MANIFEST).exists():
                    _convert(files, folder)
    made = synthetic_set.read(folder)
    for message in made.manifest["files"]["messages"]:
        print(f"note: {root}: {message}")
    return replace(made, root=root)


# --- which files ---------------------------------------------------------------------------------


def find(files: Files) -> ClassFolders:
    """The images in folders named by class, at any one depth, and the other files.

    Raises UserError if there are none, if two folders have class folders, and for an image of a
    format that is not read.
    """
    inside = [path for path in files.names if _label(path) is not None]
    if not inside:
        text = f"no images in folders named {', '.join(CLASSES)}"
        raise archive.refusal(files.source, f"{text}; expected a synthetic set")
    tops = sorted({path.rsplit("/", 2)[0] if path.count("/") > 1 else "" for path in inside})
    if len(tops) > 1:
        both = " and ".join(f"'{top or '.'}'" for top in tops[:2])
        raise archive.refusal(files.source, f"class folders in {both}; expected one of these")
    by_class: list[list[str]] = [[] for _ in CLASSES]
    for path in sorted(inside):
        if not path.lower().endswith(image_files.SUFFIXES):
            formats = ", ".join(image_files.SUFFIXES)
            raise archive.refusal(files.source, f"{path}: expected images as {formats} files")
        by_class[class_names.LABELS[_folder(path)]].append(path)
    rest = [path for path in files.names if _label(path) is None]
    outside = [path for path in rest if path.lower().endswith(image_files.SUFFIXES)]
    others = [path for path in [*rest, *files.junk] if path not in set(outside)]
    return ClassFolders(by_class, outside, sorted(others))


def _label(path: str) -> int | None:
    """The class of an image by its folder's name; None for any other file."""
    if not path.lower().endswith(image_files.SUFFIXES + image_files.UNREAD):
        return None
    return class_names.LABELS.get(_folder(path))


def _folder(path: str) -> str:
    return path.lower().split("/")[-2] if "/" in path else ""


# --- their pixels --------------------------------------------------------------------------------


def _convert(files: Files, folder: Path) -> None:
    """Write the set of these files at `folder`, its manifest last."""
    found = find(files)
    paths, labels = found.in_order()
    print(f"reading {len(paths):,} images of {files.source}")
    sizes: Counter[tuple[int, int]] = Counter()
    for path in paths:
        with _naming(files, path) as data:
            sizes[image_files.image_size(data)] += 1
    px, converted = _common_px(sizes), Counter[str]()
    with SetWriter(folder, len(paths), px, resume=False) as writer:
        for path in paths:
            with _naming(files, path) as data:
                image = image_files.gray_image(data)
            writer.append(image.square(px)[None])
            converted.update(filter(None, [image.converted(px)]))
        facts = {
            "path": str(files.source),
            "converted": dict(converted.most_common()),
            "messages": _messages(found, converted, px),
        }
        writer.finish(labels, {"files": facts})


def _common_px(sizes: Mapping[tuple[int, int], int]) -> int:
    """Pixels a side of the images in the set, from the sizes of the files."""
    width, height = next(iter(sizes))
    return width if len(sizes) == 1 and width == height <= MAX_PX else IMAGE_PX


def _messages(found: ClassFolders, converted: Mapping[str, int], px: int) -> list[str]:
    """What was done to the images, and which files were left out."""
    messages = []
    if converted:
        kinds = ", ".join(f"{kind} ({n:,})" for kind, n in converted.items())
        messages.append(f"converted to {px} x {px} gray: {kinds}")
    if found.outside:
        text = f"{len(found.outside):,} images outside the folders of the seven classes"
        first = archive.printable(found.outside[0])
        messages.append(f"{text} were not read, the first is {first}")
    if found.others:
        first = archive.printable(found.others[0])
        text = f"files that are no images, skipped: {len(found.others):,}"
        messages.append(f"{text}, the first is {first}")
    return messages


@contextmanager
def _naming(files: Files, path: str) -> Iterator[bytes]:
    """The bytes of an image; what is wrong with them is a UserError that names the file."""
    data = archive.read(files, path, max_bytes=archive.MAX_IMAGE_BYTES)
    try:
        yield data
    except ValueError as error:
        raise archive.refusal(files.source, f"{path}: {error}; expected an image") from error


@contextmanager
def _as_set_errors() -> Iterator[None]:
    """The errors of `archive` without its key, as `synthetic_set` has them: the path comes first.

    Whoever opens the set puts the key that names it before them.
    """
    try:
        yield
    except UserError as error:
        raise UserError(str(error).removeprefix("source=")) from error
