"""Faces: the real and toy ones, and those that a generator draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ferbench.api import keywords
from ferbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from ferbench.data.face_set import FaceSet
    from ferbench.data.synthetic_set import SyntheticSet
    from ferbench.gan.trained import TrainedGenerator


def open_faces(source: str | Path, **keys: object) -> FaceSet:
    """A set of faces with its splits `train`, `public` and `private`, memory-mapped.

    source: "toy" (rendered on first use), "real" (FER2013 as `ferbench prepare` left it), or the
    folder of such a set. keys: outputs, data.toy.train, ... of `ferbench prepare`.
    Each split has images [N, 48, 48] uint8, labels [N] int64 in the order of `CLASSES`, names [N]
    and, of toy faces, action_units [N, A] float32 in [0, 1].
    Raises UserError if there is no such set or it is damaged.

    >>> faces = ferbench.open_faces("toy", outputs="outputs")
    >>> faces.splits["train"].images.shape
    """
    from ferbench.cli.composition import job_of
    from ferbench.commands import inputs
    from ferbench.data import face_set

    if source not in inputs.FOLDERS:
        if keys:
            raise UserError(f"{', '.join(keys)}: a folder has its faces already; expected no keys")
        return face_set.read(Path(source))
    job = job_of("prepare", keywords.words_of({**keys, "source": source, "data": source}))
    return inputs.open_faces(job.data)


def load_generator(source: str | Path) -> TrainedGenerator:
    """A trained generator of faces, ready to draw from.

    source: "fer48-long" or "fer48" (shipped), the folder of a run of `ferbench train-gan`, a
    .safetensors file of one, or a published .pkl or its address. Nothing in a file is run.
    `classes` names its labels in their order, `facts` is what the file says of itself.
    Raises UserError if there is none, or it is damaged or hostile.

    >>> generator = ferbench.load_generator("fer48-long")
    >>> generator.classes, generator.facts["kimg"]
    """
    import torch

    from ferbench.commands import generators

    return generators.load(source, "gan", torch.device("cpu"))


def draw(
    generator: TrainedGenerator | str | Path,
    n: int,
    *,
    classes: str | Sequence[str] | None = None,
    **keys: object,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw faces into memory: images [n, H, W] uint8 and labels [n] int64.

    generator: what `load_generator` returned, or its source; it moves to the device. classes: their
    names; None: all that the generator knows, alike. keys: seed, psi (truncation, 0 to 1), out_px,
    device, and the others of `ferbench synth`. Labels are in the order of `generator.classes`.
    Image i depends on seed + i and its label alone, and is that of `draw_set`.
    Raises UserError for an unknown class, for fewer images than classes, and as the command.

    >>> images, labels = ferbench.draw("fer48-long", 14, classes=["happy", "sad"], psi=0.7)
    >>> images.shape, [ferbench.CLASSES[label] for label in labels]
    """
    import numpy as np

    from ferbench.cli.composition import job_of
    from ferbench.commands import drawing
    from ferbench.runs import Compute

    if isinstance(generator, (str, Path)):
        generator = load_generator(generator)
    amount = {"n": n} if classes is None else {"counts": _counts(n, classes)}
    job = job_of("synth", keywords.words_of({**keys, **amount, "gan": generator}))
    compute = Compute.choose(job.device, job.precision)
    generator.network.to(compute.device)
    sampler = drawing.sampler(job, generator, compute)
    labels = drawing.plan(job, generator).labels
    batches = np.split(np.arange(len(labels)), range(job.batch, len(labels), job.batch))
    images = [sampler.draw((job.seed + rows).tolist(), labels[rows]) for rows in batches]
    return np.concatenate(images), labels


def draw_set(**keys: object) -> SyntheticSet:
    """Draw a synthetic set onto the disk, as `ferbench synth` does, and open it.

    keys: gan (the generator, as for `load_generator`; left out, the newest run or the shipped one),
    n, seed, psi, outputs, and all that `ferbench synth --help` lists.
    It has images [N, H, H] uint8 and labels [N] int64, memory-mapped, `root`, its folder, and
    `manifest`, what is known of it.
    Raises UserError as the command, and if labels="own" gives it other classes than `CLASSES`.

    >>> drawn = ferbench.draw_set(gan="fer48-long", n=700)
    >>> len(drawn), drawn.root
    """
    from ferbench.data import synthetic_set

    return synthetic_set.read(keywords.run("synth", keys))


def _counts(n: int, classes: str | Sequence[str]) -> str:
    """n images over these classes alike, as counts= takes them."""
    from ferbench.data import label_counts

    names = [classes] if isinstance(classes, str) else list(dict.fromkeys(classes))
    if not names:
        raise UserError(f"classes={classes}: no class; expected names, as in classes='happy'")
    return ",".join(f"{name}:{count}" for name, count in label_counts.equal(n, names).items())
