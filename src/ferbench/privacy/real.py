"""The real images of an audit: which of them count, and with which of them a set is compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ferbench.data.face_set import Faces, FaceSet
from ferbench.errors import UserError
from ferbench.files import load_cached, save_arrays
from ferbench.privacy.roles import assign
from ferbench.privacy.space import Members, Space
from ferbench.similarity import matches
from ferbench.similarity.views import Encode, Nearest, gradients, hashes, nearest_real, view

LEAST_HELD = 40  # singletons in PublicTest and PrivateTest together
SPLITS = ("train", "public", "private")


def partners(faces: FaceSet) -> np.ndarray:
    """[N] float64: how much each image correlates with its best match among all other ones.

    Of train, public and private in this order; images of one gray level correlate with all (1).
    Takes minutes for FER2013, and depends on the images alone.
    """
    images = np.concatenate([faces.splits[split].images for split in SPLITS])
    vectors = view(images, gradients)
    match = matches.best_match(images, vectors, images, vectors.plain, exclude_self=True)
    best = match.correlation
    np.maximum.at(best, match.row, match.correlation)  # a pair counts for both
    flat = images.reshape(len(images), -1)
    best[flat.min(axis=1) == flat.max(axis=1)] = 1.0
    return best


def known_partners(faces: FaceSet, cache: Path) -> np.ndarray:
    """`partners` of the faces, from a file that holds them, or computed once and kept there."""
    kept = load_cached(cache, "partners")
    if kept is not None:
        return kept["partners"]
    best = partners(faces)
    cache.parent.mkdir(parents=True, exist_ok=True)
    save_arrays(cache, partners=best)
    return best


class Real:
    """The real images of an audit.

    train: all training images, which copies are sought among. members, held: the singletons of
    train, and of public and private: those that correlate with no other image at `drop` or more.
    Raises UserError if there are too few held-out singletons to compare with.
    """

    def __init__(
        self,
        faces: FaceSet,
        best: np.ndarray,
        encoders: Mapping[str, Encode],
        *,
        drop: float,
        cells: int,
        rng: np.random.Generator,
    ) -> None:
        sizes = np.cumsum([len(faces.splits[split]) for split in SPLITS])[:-1]
        single = dict(zip(SPLITS, np.split(best < drop, sizes), strict=True))
        self.train = faces.splits["train"]
        self.member_rows = np.flatnonzero(single["train"])
        self.members = self.train.take(self.member_rows)
        tests = [faces.splits[split].take(single[split]) for split in SPLITS[1:]]
        self.held = Faces(
            *(
                np.concatenate([getattr(one, part) for one in tests])
                for part in ("images", "labels", "names")
            )
        )
        self.dropped = {split: int((~single[split]).sum()) for split in SPLITS}
        _check(self)
        self.encoders = encoders
        self.train_pixels = matches.Pixels(self.train.images)
        self.train_gradients = gradients(self.train.images)
        self.member_hashes = hashes(self.members.images)
        self.held_views = {name: view(self.held.images, f) for name, f in encoders.items()}
        self.spaces = {name: self._space(name, cells, rng) for name in encoders}

    def _space(self, name: str, cells: int, rng: np.random.Generator) -> Members:
        if name == "gradients":
            return Members(self.train_gradients[self.member_rows], cells, rng)
        return Members(self.encoders[name](self.members.images), cells, rng)


def _check(real: Real) -> None:
    if len(real.held) < LEAST_HELD or len(real.members) < len(real.held):
        raise UserError(
            f"data: {len(real.members)} training and {len(real.held)} held-out images have no near "
            f"copy; the audit needs {LEAST_HELD} held-out ones, and no fewer training ones"
        )


class Comparison:
    """The held-out images that the training images are compared with, in every space.

    An audit uses all held-out images. A control takes half of them for synthetic ones, and compares
    with the other half.

    held: rows of the held-out images in use; quantile: of their distance ratios, under which an
    image is suspiciously near (see `Space`).
    """

    def __init__(
        self, real: Real, held: np.ndarray, *, quantile: float, rng: np.random.Generator
    ) -> None:
        rows = np.sort(held)
        self.real, self.quantile, self.held = real, quantile, real.held.take(rows)
        self.held_gradients = real.held_views["gradients"].plain[rows]
        self.held_hashes: Nearest = nearest_real(view(self.held.images, hashes), real.member_hashes)
        roles = assign(rows, real.held.labels, real.members.labels, rng)
        self.spaces = {
            name: Space(members, real.held_views[name], roles, quantile=quantile)
            for name, members in real.spaces.items()
        }


def halves(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows [.] of two halves of images with labels [N], each class divided alike."""
    first, second = [], []
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        first.append(rows[: len(rows) // 2])
        second.append(rows[len(rows) // 2 :])
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))
