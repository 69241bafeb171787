"""Images by seed and label: independence of batch, truncation, sizes, and a stream that stops."""

import numpy as np
import pytest
import torch

import stylegan2_ada as sg
from ferbench.data import label_counts
from ferbench.data.synthetic_set import SetWriter
from ferbench.errors import UserError
from ferbench.gan import sampler, trained
from ferbench.gan.sampler import Rendering, Sampler, Stopped, Truncation, stream
from ferbench.runs.precision import Precision

SETTINGS = {"noise": "seed", "out_px": None, "resize": "area", "batch": 8}
WHOLE = Truncation(psi=1.0, cutoff=None, center="class", center_latents=50)
LABELS = label_counts.interleaved([6] * 7)


@pytest.fixture
def sampler_of(make_generator, tmp_path):
    """sampler_of(truncation, precision=, generator=..., ...): on a tiny generator."""

    def make(truncation=WHOLE, *, precision="fp32", generator=None, **changes):
        path = make_generator(tmp_path / "g.safetensors", **(generator or {}))
        loaded = trained.load(path, device=torch.device("cpu"))
        settings = SETTINGS | {"precision": Precision(precision, "cpu")} | changes
        return Sampler(loaded, truncation, Rendering(**settings))

    return make


def close(images, others, *, levels=1, share=0.001):
    """Equal but for rounding: a few pixels by one gray level."""
    off = np.abs(images.astype(int) - others)
    return off.max() <= levels and (off > 0).mean() <= share


# --- one image -----------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", ["const", "seed", "none"])
def test_an_image_does_not_depend_on_its_batch(sampler_of, noise):
    truncation = Truncation(psi=0.6, cutoff=4, center="class", center_latents=50)
    draw = sampler_of(truncation, noise=noise).draw
    whole = draw(range(10), LABELS[:10])
    single = np.concatenate([draw([i], LABELS[i : i + 1]) for i in range(10)])
    assert close(single, whole)
    assert close(draw([7, 3], LABELS[[7, 3]]), whole[[7, 3]])
    assert len(np.unique(whole, axis=0)) == 10


def test_images_are_those_of_the_library(sampler_of):
    one = sampler_of()
    want = sg.sample(one.network, [3, 4], torch.eye(7)[[1, 5]], noise="seed")
    np.testing.assert_array_equal(one.draw([3, 4], [1, 5]), sg.to_uint8(want)[:, 0].numpy())


def test_bfloat16_shows_the_same_images(sampler_of):
    exact = sampler_of().draw(range(8), LABELS[:8])
    rounded = sampler_of(precision="bf16").draw(range(8), LABELS[:8])
    assert np.abs(exact.astype(int) - rounded).mean() < 2


def test_colors_become_luma(sampler_of):
    """0.299 R + 0.587 G + 0.114 B, to the rounding of the three."""
    one = sampler_of(generator={"channels": 3})
    gray, color = one.draw(range(4), LABELS[:4]), one.pictures(range(4), LABELS[:4])
    assert (gray.shape, color.shape) == ((4, 48, 48), (4, 3, 48, 48))
    luma = np.tensordot(color, [0.299, 0.587, 0.114], axes=(1, 0))
    assert np.abs(gray - luma).max() <= 1.0001
    assert gray.std() > 1


def test_pictures_of_gray_images_are_the_images(sampler_of):
    one = sampler_of(batch=3)
    np.testing.assert_array_equal(one.pictures(range(7), LABELS[:7]).shape, (7, 48, 48))
    assert close(one.pictures(range(7), LABELS[:7]), one.draw(range(7), LABELS[:7]))


def test_styles_render_to_the_same_images_where_noise_is_stored(sampler_of):
    truncation = Truncation(psi=0.5, cutoff=None, center="class", center_latents=50)
    one = sampler_of(truncation, noise="const", batch=3)
    rendered = one.render(one.styles(range(7), LABELS[:7]))
    assert close(rendered, one.draw(range(7), LABELS[:7]))


# --- truncation ----------------------------------------------------------------------------------


def test_psi_zero_toward_the_class_is_one_face_a_class(sampler_of):
    one = sampler_of(Truncation(0.0, None, "class", 50), noise="const")
    images = one.draw(range(14), LABELS[:14])
    assert close(images[:7], images[7:])
    assert len(np.unique(images[:7], axis=0)) == 7


def test_psi_zero_toward_the_global_center_is_one_face(sampler_of):
    one = sampler_of(Truncation(0.0, None, "global", 50), noise="const")
    images = one.draw(range(7), LABELS[:7])
    assert close(images, images[:1])


def test_class_centers_are_the_mean_styles(sampler_of):
    """The mean over 4,000 latents is near that over 4,000 others, and differs between classes."""
    one = sampler_of(Truncation(0.5, None, "class", 4000))
    z = torch.randn(4000, 8, generator=torch.Generator().manual_seed(9))
    for label in (0, 3):
        mean = one.network.mapping.style(z, torch.eye(7)[[label]].expand(4000, -1)).mean(0)
        torch.testing.assert_close(one.class_centers[label], mean, atol=0.1, rtol=0)
    assert (one.class_centers[0] - one.class_centers[3]).abs().max() > 0.3


def test_without_classes_the_center_is_the_global_one(sampler_of):
    one = sampler_of(Truncation(0.0, None, "class", 50), noise="const", generator={"classes": ()})
    images = one.draw(range(3), [0, 0, 0])
    assert close(images, images[:1])


def test_a_cutoff_beyond_the_layers_is_refused(sampler_of):
    """48 pixels: 3, 6, 12, 24, 48, two style vectors each."""
    sampler_of(Truncation(0.5, 10, "class", 50))
    with pytest.raises(UserError, match=r"cutoff=11: .* has 10 style layers; expected 0 to 10"):
        sampler_of(Truncation(0.5, 11, "class", 50))


def test_images_that_are_not_finite_are_refused(sampler_of):
    one = sampler_of()
    one.network.mapping.fc0.weight.data[0, 0] = float("nan")
    with pytest.raises(UserError, match=r"g.safetensors: gives an image that is not finite"):
        one.draw([0], [0])


# --- sizes ---------------------------------------------------------------------------------------


def test_half_the_size_is_the_mean_of_four(sampler_of):
    full, half = (sampler_of(out_px=px).draw(range(4), LABELS[:4]) for px in (None, 24))
    mean = full.reshape(4, 24, 2, 24, 2).mean((2, 4))
    assert np.abs(half - mean).max() <= 0.5
    assert sampler_of(out_px=24).image_px == 24


@pytest.mark.parametrize("resize", ["area", "bicubic"])
def test_other_sizes_come_to_48(sampler_of, resize):
    for res in (32, 64):
        one = sampler_of(out_px=48, resize=resize, generator={"res": res})
        native = sampler_of(generator={"res": res}).draw(range(4), LABELS[:4])
        images = one.draw(range(4), LABELS[:4])
        assert images.shape == (4, 48, 48)
        np.testing.assert_allclose(images.mean((1, 2)), native.mean((1, 2)), atol=2)


# --- a stream into a set -------------------------------------------------------------------------


def fill(one, root, *, should_stop=lambda: False, resume=False):
    with SetWriter(root, len(LABELS), 48, resume=resume) as writer:
        stream(one, writer, LABELS, seed=100, should_stop=should_stop)
        writer.finish(LABELS, {})
    return {path.name: path.read_bytes() for path in root.iterdir()}


def test_image_i_is_that_of_seed_plus_i(sampler_of, tmp_path):
    one = sampler_of(batch=16)
    fill(one, tmp_path / "set")
    images = np.load(tmp_path / "set" / "images.npy")
    assert close(images[20:25], one.draw(range(120, 125), LABELS[20:25]))
    assert close(images[41:], one.draw([141], LABELS[41:]))


@pytest.mark.parametrize("batches", [0, 1, 3, 5])
def test_stopped_and_gone_on_is_as_in_one_go(sampler_of, tmp_path, batches):
    one = sampler_of()
    answers = iter([False] * batches + [True])
    with pytest.raises(Stopped, match=f"after {8 * batches} images"):
        fill(one, tmp_path / "parts", should_stop=lambda: next(answers))
    assert not (tmp_path / "parts" / "manifest.json").exists()
    parts = fill(one, tmp_path / "parts", resume=True)
    assert parts == fill(one, tmp_path / "whole")


def test_what_is_done_is_not_drawn_again(sampler_of, tmp_path, monkeypatch):
    one = sampler_of()
    answers = iter([False] * 4 + [True])
    with pytest.raises(Stopped):
        fill(one, tmp_path / "set", should_stop=lambda: next(answers))
    drawn = []
    draw = one.draw
    monkeypatch.setattr(one, "draw", lambda *a: drawn.append(len(a[0])) or draw(*a))
    fill(one, tmp_path / "set", resume=True)
    assert drawn == [8, 2]


def test_no_more_than_a_batch_is_in_memory(sampler_of, tmp_path, monkeypatch):
    sizes = []
    append = SetWriter.append
    monkeypatch.setattr(
        SetWriter, "append", lambda self, images: sizes.append(len(images)) or append(self, images)
    )
    fill(sampler_of(), tmp_path / "set")
    assert sizes == [8] * 5 + [2]


def test_progress_is_saved_as_time_goes(sampler_of, tmp_path, monkeypatch):
    monkeypatch.setattr(sampler, "SAFE_SECONDS", 0.0)
    saved = []
    save = SetWriter.save_progress
    monkeypatch.setattr(
        SetWriter, "save_progress", lambda self: saved.append(self.done) or save(self)
    )
    fill(sampler_of(), tmp_path / "set")
    assert saved == [8, 16, 24, 32, 40, 42]
