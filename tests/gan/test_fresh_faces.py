"""Images of every epoch: others each time, the same again, and never those of a set."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from ferbench.classifiers.batches import DeviceFaces
from ferbench.gan import fresh_faces, trained
from ferbench.gan.fresh_faces import FreshFaces, seeds_of
from ferbench.runs.precision import Precision

CPU = torch.device("cpu")
LABELS = torch.arange(17) % 7


@pytest.fixture
def sampler(make_generator, tmp_path):
    generator = trained.load(make_generator(tmp_path / "g.safetensors"), device=CPU)
    return fresh_faces.sampler_of(generator, Precision("fp32", "cpu"))


def made_faces(first=3):
    """17 gray images, the first 3 of which are real."""
    return DeviceFaces(torch.full((17, 1, 48, 48), 9, dtype=torch.uint8), LABELS, first=first)


def renewed(sampler, epoch, *, draw_seed=0, faces=None, stop=lambda: False):
    faces = made_faces() if faces is None else faces
    fresh = FreshFaces(faces, sampler, draw_seed=draw_seed, teacher=None, should_stop=stop)
    assert fresh.renew(epoch)
    return faces.images.clone()


def test_seeds_are_a_function_of_draw_seed_and_epoch():
    """Image i of epoch e: 2**31 + (2**24 draw_seed + n e + i) mod 2**31."""
    assert seeds_of(0, 0, 3) == [2**31, 2**31 + 1, 2**31 + 2]
    assert seeds_of(0, 2, 3) == [2**31 + 6, 2**31 + 7, 2**31 + 8]
    assert seeds_of(5, 1, 2) == [2**31 + 5 * 2**24 + 2, 2**31 + 5 * 2**24 + 3]
    assert seeds_of(127, 1, 2**24)[:2] == [2**31, 2**31 + 1]  # and round


@pytest.mark.parametrize("draw_seed", [0, 1, 127, 128, 2**32 - 1])
def test_no_seed_of_a_run_comes_twice_nor_in_a_set(draw_seed):
    """In the upper half of the 32 bits that torch's generators take; a set from 0 stays below."""
    drawn = np.concatenate([seeds_of(draw_seed, epoch, 1001) for epoch in range(40)])
    assert len(np.unique(drawn)) == 40 * 1001
    assert drawn.min() >= 2**31
    assert drawn.max() < 2**32


def test_draw_seeds_do_not_share_images():
    ranges = [(seeds_of(s, 0, 1)[0], seeds_of(s, 0, 1)[0] + 2**24) for s in range(128)]
    assert all(end <= start for (_, end), (start, _) in pairwise(ranges))


def test_seeds_differ_in_the_bits_that_torch_takes():
    """Seeds that are alike modulo 2**32 give the same latents: why no seed is above."""
    first, again, other = (
        torch.randn(4, generator=torch.Generator().manual_seed(seed))
        for seed in (5, 5 + 2**32, 5 + 2**31)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_epoch_s_images_are_those_of_its_seeds(sampler):
    """Real ones stay; the rest are drawn as `ferbench synth` would with those seeds."""
    found = renewed(sampler, 2)
    assert (found[:3] == 9).all()
    want = sampler.draw(seeds_of(0, 2, 14), LABELS[3:].numpy())
    assert (found[3:, 0].numpy() == want).all()


def test_epochs_differ_and_come_again(sampler):
    faces = made_faces()
    zero, one = (renewed(sampler, epoch, faces=faces) for epoch in (0, 1))
    assert (zero[3:] != one[3:]).flatten(1).any(1).all()
    assert torch.equal(renewed(sampler, 1), one)
    assert not torch.equal(renewed(sampler, 1, draw_seed=1)[3:], one[3:])


def test_drawing_leaves_torch_s_own_generator_alone(sampler):
    """Dropout goes on where it was, whether or not an epoch was drawn again."""
    before = torch.get_rng_state()
    renewed(sampler, 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_asked_to_stop_it_says_so(sampler):
    fresh = FreshFaces(made_faces(), sampler, draw_seed=0, teacher=None, should_stop=lambda: True)
    assert not fresh.renew(0)
