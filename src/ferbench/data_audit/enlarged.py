"""Test images that are a Training photograph at another scale: `near_copies` does not enlarge."""

from __future__ import annotations

import numpy as np

from ferbench.classes import SPLITS
from ferbench.data.face_set import FaceSet
from ferbench.data_audit.findings import Enlarged
from ferbench.data_audit.pool import Pool
from ferbench.similarity import matches
from ferbench.similarity.views import gradients, view

NEAR_CORRELATION = 0.95  # as of `prepare`: by eye, all pairs from there on show one photograph


def find(pool: Pool, faces: FaceSet) -> Enlarged:
    """Compare the near-clean images of public and private with Training, at zooms of up to 1.2.

    A pair counts by the correlation of `similarity.matches`, one way: the Training image is
    enlarged. Takes about a minute for FER2013.
    """
    train = pool.images[pool.split == 0]
    vectors = gradients(train)
    tested, copies = {}, {}
    for i, split in enumerate(SPLITS[1:], start=1):
        images = pool.images[pool.split == i][np.asarray(faces.extras[f"near_clean_{split}"])]
        best = matches.best_match(images, view(images, gradients), train, vectors)
        tested[split] = len(images)
        copies[split] = int((best.correlation >= NEAR_CORRELATION).sum())
    return Enlarged(tested, copies)
