"""Which real images count in an audit, and which have a near copy."""

from dataclasses import replace

import numpy as np
import pytest

from ferbench.errors import UserError
from ferbench.privacy.real import Real, halves, partners
from ferbench.similarity import views


def test_partners_are_found_across_and_within_splits(faces):
    """The crop of a training image in private, and two mirrored public images."""
    best = partners(faces)
    public, private = 420, 560
    pairs = [0, private, public + 138, public + 139]
    assert (best[pairs] > 0.95).all()
    assert np.delete(best, pairs).max() < 0.9


def test_flat_images_have_partners(faces):
    flat = faces.splits["train"].images.copy()
    flat[3] = 7
    splits = faces.splits | {"train": replace(faces.splits["train"], images=flat)}
    assert partners(replace(faces, splits=splits))[3] == 1


def test_singletons_are_what_is_left(real):
    """419 of 420; of 280 held-out ones, 3 have partners."""
    assert (len(real.members), len(real.held)) == (419, 277)
    assert real.dropped == {"train": 1, "public": 2, "private": 1}
    assert real.member_rows[0] == 1


def test_halves_share_every_class():
    labels = np.repeat([0, 1], [10, 7])
    first, second = halves(labels, np.random.default_rng(0))
    assert sorted([*first, *second]) == list(range(17))
    assert (labels[first] == 0).sum() == (labels[second] == 0).sum() == 5


def test_too_few_held_out_images_are_refused(faces):
    few = {name: part.take(np.arange(20)) for name, part in faces.splits.items() if name != "train"}
    small = replace(faces, splits=faces.splits | few)
    encoders = {"gradients": views.gradients}
    with pytest.raises(UserError, match="held-out images have no near copy; the audit needs 40"):
        Real(small, partners(small), encoders, drop=0.9, cells=2, rng=np.random.default_rng(0))
