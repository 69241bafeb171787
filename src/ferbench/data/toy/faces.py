"""Built-in toy faces: small drawn faces that show the seven expressions by their action units.

They need no download, so the whole tool can be tried and tested on them. Image i of a seed depends
on (seed, i) alone: any number of faces and of workers gives the same bytes (another release of
numpy or Pillow may draw other numbers or edges).
"""

import os
import signal
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import (
    connection,
    get_all_start_methods,
    get_context,
    get_start_method,
    parent_process,
)
from typing import NamedTuple

import numpy as np

from ferbench.classes import CLASSES, IMAGE_PX, SPLITS
from ferbench.data.face_set import Faces
from ferbench.data.toy import action_units
from ferbench.data.toy.parameters import FaceParameters, sample_identity, sample_view
from ferbench.data.toy.render import draw
from ferbench.progress import Counter

CHUNK = 64  # images a worker renders at a time: 0.2 s, so that Ctrl-C is soon obeyed


class Task(NamedTuple):
    """The faces that one worker renders at a time: indices start to stop - 1 of a seed."""

    seed: int
    start: int
    stop: int


def sample_parameters(seed: int, index: int) -> FaceParameters:
    """Everything of face `index` of `seed`; its class is CLASSES[index % 7]."""
    rng = np.random.default_rng([seed, index])
    units = action_units.sample(index % len(CLASSES), rng)
    return FaceParameters(sample_identity(rng), sample_view(rng), tuple(units.tolist()))


def sample_faces(n: int, seed: int, *, workers: int = 1, prefix: str = "toy") -> Faces:
    """n faces with their action units; face i has class i % 7, so counts differ by one at most.

    Names are `<prefix>_000000` and on. seed: not negative (else ValueError). workers: processes
    that render; the bytes do not depend on it. With more than one, the calling script must be
    importable (the usual `if __name__ == "__main__"` guard), as for every spawned process.
    """
    images = np.zeros((n, IMAGE_PX, IMAGE_PX), np.uint8)
    units = np.zeros((n, len(action_units.ACTION_UNITS)), np.float32)
    tasks = [Task(seed, start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
    with closing(_rendered(tasks, workers)) as chunks, Counter(n, f"{prefix} rendered") as bar:
        for task, chunk in zip(tasks, chunks, strict=True):
            images[task.start : task.stop], units[task.start : task.stop] = chunk
            bar.update(task.stop - task.start)
    names = np.array([f"{prefix}_{i:06d}" for i in range(n)], dtype=np.str_)
    return Faces(images, np.arange(n, dtype=np.int64) % len(CLASSES), names, units)


def toy_splits(
    train: int, public: int, private: int, seed: int, workers: int = 1
) -> dict[str, Faces]:
    """The three splits, each of its own stream of people: nobody is in two of them.

    Names are `toy_<split>_000000` and on.
    """
    counts = dict(zip(SPLITS, (train, public, private), strict=True))
    return {
        split: sample_faces(count, split_seed(seed, split), workers=workers, prefix=f"toy_{split}")
        for split, count in counts.items()
    }


def split_seed(seed: int, split: str) -> int:
    """The seed of one split's faces: a 64-bit number mixed from the seed and the split."""
    mixed = np.random.SeedSequence([seed, SPLITS.index(split)]).generate_state(1, np.uint64)
    return int(mixed[0])


def _render(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Images [stop - start, 48, 48] uint8 and action units [stop - start, 13] float32."""
    faces = [sample_parameters(task.seed, index) for index in range(task.start, task.stop)]
    images = np.stack([draw(face) for face in faces])
    return images, np.array([face.action_units for face in faces], np.float32)


def _rendered(
    tasks: Sequence[Task], workers: int
) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
    """Every task's result in order. Leaves no process behind, whatever ends the loop."""
    workers = min(workers, len(tasks))
    if workers <= 1 or _in_a_launcher_s_worker():
        yield from map(_render, tasks)
        return
    context = get_context("spawn")  # safe whatever threads the caller runs
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        yield from pool.map(_render, tasks)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_a_launcher_s_worker() -> bool:
    """Whether this process is one of joblib's, whose way to start processes others do not know."""
    return get_start_method(allow_none=True) not in (None, *get_all_start_methods())


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it ends, even killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
