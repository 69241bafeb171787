"""Pictures of a generator: which image stands where."""

import numpy as np
import pytest
import torch
from PIL import Image

from ferbench.classes import CLASSES
from ferbench.data import contact_sheets, synthetic_set
from ferbench.errors import UserError
from ferbench.gan import pictures, trained
from ferbench.gan.sampler import Rendering, Sampler, Truncation
from ferbench.report import sheets as image_grid
from ferbench.runs.precision import Precision


@pytest.fixture
def sampler_of(make_generator, tmp_path):
    def make(noise="seed", psi=1.0, **generator):
        path = make_generator(tmp_path / "g.safetensors", **generator)
        loaded = trained.load(path, device=torch.device("cpu"))
        return Sampler(
            loaded,
            Truncation(psi, None, "class", 50),
            Rendering(noise, Precision("fp32", "cpu"), out_px=None, resize="area", batch=16),
        )

    return make


@pytest.fixture
def sheets(monkeypatch):
    """What is handed to `image_grid.sheet`, call by call."""
    calls = []
    sheet = image_grid.sheet

    def record(cells, **names):
        calls.append({"cells": cells, **names})
        return sheet(cells, **names)

    monkeypatch.setattr(image_grid, "sheet", record)
    return calls


def close(images, others):
    return np.abs(images.astype(int) - others).max() <= 1


def test_the_grid_has_a_row_a_class_and_a_latent_a_column(sampler_of, sheets, tmp_path):
    one = sampler_of(psi=0.7)
    (path,) = pictures.grid(tmp_path, one, seed=5)
    (drawn,) = sheets
    assert drawn["cells"].shape == (7, 12, 48, 48)
    assert drawn["rows"] == list(CLASSES)
    assert drawn["columns"] == [str(seed) for seed in range(5, 17)]
    assert "psi 0.7 toward the class center" in drawn["title"]
    assert close(drawn["cells"][3, 2:4], one.draw([7, 8], [3, 3]))
    with Image.open(path) as picture:
        assert picture.format == "PNG"


def test_the_grid_of_a_generator_without_classes_has_other_latents(sampler_of, sheets, tmp_path):
    one = sampler_of(classes=(), channels=3)
    pictures.grid(tmp_path, one, seed=5)
    (drawn,) = sheets
    assert drawn["cells"].shape == (7, 12, 3, 48, 48)
    assert drawn["rows"] == drawn["columns"] == []
    assert close(drawn["cells"][2, 1], one.pictures([5 + 25], [0])[0])


def test_between_classes_the_latent_stays(sampler_of, sheets, tmp_path):
    """First and last column are the two classes; the middle is the image of the mean style."""
    one = sampler_of(noise="const")
    png, gif = pictures.interpolation(tmp_path, one, "happy, sad", seed=2)
    assert (png.name, gif.name) == ("interpolation_happy_sad.png", "interpolation_happy_sad.gif")
    cells = sheets[0]["cells"]
    assert cells.shape == (7, 9, 48, 48)
    assert sheets[0]["rows"] == [str(seed) for seed in range(2, 9)]
    seeds = list(range(2, 9))
    assert close(cells[:, 0], one.draw(seeds, [3] * 7))
    assert close(cells[:, -1], one.draw(seeds, [4] * 7))
    mean = (one.styles(seeds, [3] * 7) + one.styles(seeds, [4] * 7)) / 2
    assert close(cells[:, 4], one.render(mean))


def test_between_seeds_the_class_stays(sampler_of, sheets, tmp_path):
    one = sampler_of(noise="const")
    pictures.interpolation(tmp_path, one, "4,9", seed=0)
    cells = sheets[0]["cells"]
    assert sheets[0]["rows"] == list(CLASSES)
    assert close(cells[:, 0], one.draw([4] * 7, range(7)))
    assert close(cells[:, -1], one.draw([9] * 7, range(7)))


def test_the_gif_runs_forth_and_back_for_ever(sampler_of, sheets, tmp_path):
    """25 frames there and 23 back; its ends are the ends of the strip."""
    _, gif = pictures.interpolation(tmp_path, sampler_of(), "4,9", seed=0)
    strip, frames = sheets[0]["cells"], [call["cells"] for call in sheets[1:]]
    assert len(frames) == 25
    assert close(frames[0][0], strip[:, 0])
    assert close(frames[-1][0], strip[:, -1])
    with Image.open(gif) as picture:
        assert (picture.format, picture.n_frames, picture.info["loop"]) == ("GIF", 48, 0)


def test_style_mixing_takes_coarse_layers_from_the_left(sampler_of, sheets, tmp_path):
    """10 layers: the first 5 of the row's face, the others of the column's."""
    one = sampler_of(noise="const")
    pictures.style_mix(tmp_path, one, seed=3)
    cells = sheets[0]["cells"]
    assert cells.shape == (8, 8, 48, 48)
    assert (cells[0, 0] == image_grid.PAPER).all()
    left, top = one.styles(range(3, 10), range(7)), one.styles(range(10, 17), range(7))
    assert close(cells[1:, 0], one.render(left))
    assert close(cells[0, 1:], one.render(top))
    mixed = torch.cat([left[2:3, :5], top[6:7, 5:]], 1)
    assert close(cells[3, 7], one.render(mixed)[0])
    assert not close(cells[3, 7], cells[3, 0])
    assert not close(cells[3, 7], cells[0, 7])


def test_truncation_goes_from_the_center_to_the_face(sampler_of, sheets, tmp_path):
    one = sampler_of()
    paths = pictures.truncation(tmp_path, one, seed=8)
    assert [path.name for path in paths] == ["truncation_class.png", "truncation_global.png"]
    to_class, to_global = (call["cells"] for call in sheets)
    assert to_class.shape == (7, 11, 48, 48)
    faces = one.draw([8] * 7, range(7))
    assert close(to_class[:, -1], faces)
    assert close(to_global[:, -1], faces)
    assert close(to_global[:, 0], to_global[:1, 0])
    assert all(not close(to_class[0, 0], other) for other in to_class[1:, 0])


def test_without_classes_there_is_the_global_center_alone(sampler_of, tmp_path):
    paths = pictures.truncation(tmp_path, sampler_of(classes=()), seed=8)
    assert [path.name for path in paths] == ["truncation_global.png"]


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        ("happy", "expected two seeds such as 0,5 or two classes such as happy,sad"),
        ("1,2,3", "expected two seeds"),
        ("hapy,sad", "no class 'hapy'; did you mean happy"),
        ("happy,3", "no class '3'"),
        ("-1,3", "no class '-1'"),
        (f"0,{2**70}", "no class"),
    ],
)
def test_pairs_that_are_none(pair, reason):
    with pytest.raises(UserError, match=reason):
        pictures.check_pair(pair, CLASSES)


def test_pairs_of_classes_need_classes():
    with pytest.raises(UserError, match="this generator has no classes"):
        pictures.check_pair("happy,sad", ())
    assert pictures.check_pair("0, 5", ()) == (False, 0, 5)


# --- contact sheets ------------------------------------------------------------------------------


def test_a_contact_sheet_shows_the_first_images_of_its_class(sheets, tmp_path):
    """150 images of class 1 and 13 of class 4: 100 of the one, 13 and paper of the other."""
    images = np.random.default_rng(0).integers(0, 255, (163, 12, 12), dtype=np.uint8)
    labels = np.array([1] * 150 + [4] * 13)
    synthetic_set.write(tmp_path / "set", images, labels, {})
    contact_sheets.write(tmp_path / "set", classes=CLASSES, subtitle="psi 1")
    written = sorted(path.name for path in (tmp_path / "set").glob("contact_*"))
    assert written == ["contact_disgust.png", "contact_sad.png"]
    first, second = sheets
    np.testing.assert_array_equal(first["cells"].reshape(-1, 12, 12), images[:100])
    assert first["title"] == "disgust: 100 of 150 images, psi 1"
    assert second["cells"].shape == (2, 10, 12, 12)
    np.testing.assert_array_equal(second["cells"].reshape(-1, 12, 12)[:13], images[150:])
    assert (second["cells"].reshape(-1, 12, 12)[13:] == image_grid.PAPER).all()


def test_large_images_are_reduced_by_averaging():
    """512 pixels become 256 by the mean of four; 256 and below stay."""
    cells = np.random.default_rng(0).integers(0, 256, (1, 2, 3, 512, 512), dtype=np.uint8)
    mean = cells.reshape(1, 2, 3, 256, 2, 256, 2).mean((4, 6))
    assert np.abs(contact_sheets.shrunk(cells) - mean).max() <= 0.5
    small = cells[..., :256, :256]
    assert contact_sheets.shrunk(small) is small
