"""A set on disk as PNG files, in the folders of the FER2013 download or in a zip of them."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from PIL import Image

from ferbench.data import synthetic_set
from ferbench.files import write_whole

SPLIT = "train"  # synthetic faces are for training: the download's name of that split
Files = Iterator[tuple[str, bytes]]


def to_folder(root: Path, target: Path, *, classes: Sequence[str], first_seed: int) -> int:
    """Write the set at `root` as target/train/<class>/<class>_<seed>.png; return how many.

    The folder is whole or absent; an older one is replaced. Raises OSError on a full disk.
    """
    with _beside(target) as made:
        for name in classes:
            (made / SPLIT / name).mkdir(parents=True)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            count = 0
            for files in _encoded(root, threads, classes, first_seed):
                list(threads.map(lambda file: (made / file[0]).write_bytes(file[1]), files))
                count += len(files)
    return count


def to_zip(root: Path, target: Path, *, classes: Sequence[str], first_seed: int) -> int:
    """Write the set at `root` as a zip with the files of `to_folder`; return how many.

    The same set gives the same bytes. The file is whole or absent. Raises OSError on a full disk.
    """
    count = 0

    def fill(path: Path) -> None:
        nonlocal count
        with ThreadPoolExecutor(os.cpu_count()) as threads, ZipFile(path, "w", ZIP_STORED) as file:
            for files in _encoded(root, threads, classes, first_seed):
                for name, data in files:
                    file.writestr(ZipInfo(name), data)
                count += len(files)

    write_whole(target, fill)
    return count


EXPORTS: dict[str, tuple[str, Callable[..., int]]] = {
    "folder": ("png", to_folder),
    "zip": ("png.zip", to_zip),
}


def png(image: np.ndarray) -> bytes:
    """A gray image [H, W] uint8 as the bytes of a PNG file."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, format="PNG")
    return data.getvalue()


def _encoded(
    root: Path, threads: ThreadPoolExecutor, classes: Sequence[str], first_seed: int
) -> Iterator[list[tuple[str, bytes]]]:
    """Block by block, (path, PNG) of the set's images; names carry class and seed."""
    for first, images, labels in synthetic_set.blocks(root):
        seeds = range(first_seed + first, first_seed + first + len(images))
        named = zip((classes[label] for label in labels), seeds, strict=True)
        names = [f"{name}/{name}_{seed:010d}" for name, seed in named]
        yield [
            (f"{SPLIT}/{name}.png", data)
            for name, data in zip(names, threads.map(png, images), strict=True)
        ]


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder beside `target` that takes its place once the block is done, or is deleted."""
    for left in target.parent.glob(f".{target.name}-*"):  # of killed processes
        shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield made
        made.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        os.rename(made, target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
