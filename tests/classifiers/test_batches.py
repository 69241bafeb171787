from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from ferbench.classifiers import batches
from ferbench.config.yaml_files import CONF
from ferbench.recipes.classifier import Augment, Recipe

STILL = Augment(
    flip=0, rotate_degrees=0, zoom=0, shift=0, shear_degrees=0, brightness=0, contrast=0, erase=0
)
MIDDLE, HIGHEST = 0.5, 1.0  # draws that change nothing, and by as much as allowed


@pytest.fixture
def faces():
    return torch.randint(0, 256, (6, 1, 48, 48), generator=generator(), dtype=torch.uint8)


@pytest.fixture
def smooth():
    """A smooth bright spot right of and above the center, [1, 1, 48, 48]."""
    y, x = torch.meshgrid(*[torch.arange(48.0)] * 2, indexing="ij")
    spot = 255 * torch.exp(-((x - 32) ** 2 + (y - 16) ** 2) / 8)
    return spot.round().to(torch.uint8)[None, None]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def default_augment(**changes):
    values = yaml.safe_load((CONF / "train/default.yaml").read_text())["augment"]
    return Augment(**{**values, **changes})


def make_recipe(**changes):
    values = yaml.safe_load((CONF / "train/default.yaml").read_text())
    return Recipe(**{**values, "augment": Augment(**values["augment"]), **changes})


def draws(n=1, value=MIDDLE, **columns):
    """[n, DRAWS] draws that change nothing, except the named columns."""
    names = ("flip", "angle", "shear", "zoom", "x", "y", "contrast", "brightness")
    found = torch.full((n, batches.DRAWS), value)
    for name, column in columns.items():
        found[:, names.index(name)] = column
    return found


def center_of_mass(image):
    """(x, y) in pixels of an image [1, 1, 48, 48] in [-1, 1]."""
    weight = (image[0, 0] + 1).double()
    places = torch.arange(48.0, dtype=torch.float64)
    return (
        float((weight.sum(0) * places).sum() / weight.sum()),
        float((weight.sum(1) * places).sum() / weight.sum()),
    )


# --- normalization and views ---------------------------------------------------------------------


def test_normalize_maps_the_gray_range_to_minus_one_to_one():
    """0, 51, 255 become -1, 51 / 127.5 - 1 = -0.6, 1."""
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3)
    torch.testing.assert_close(batches.normalize(images).flatten(), torch.tensor([-1, -0.6, 1]))


@pytest.mark.parametrize("mixup", [0, 0.2])
def test_images_make_a_channels_last_network_stay_so(faces, mixup):
    """The strides of the one channel decide how the first convolution lays out its output."""
    conv = torch.nn.Conv2d(1, 4, 3).to(memory_format=torch.channels_last)
    on_device, recipe = batches.DeviceFaces(faces, torch.arange(6)), make_recipe(mixup=mixup)
    (batch,) = batches.training_batches(on_device, recipe, seed=0, epoch=0, first=0)
    for images in (batch.images, batches.normalize(faces)):
        assert images.shape == (6, 1, 48, 48)
        assert conv(images).is_contiguous(memory_format=torch.channels_last)


def test_the_device_copy_shares_nothing_with_the_array():
    images, labels = np.zeros((3, 48, 48), np.uint8), np.arange(3)
    on_device = batches.to_device(images, labels, torch.device("cpu"))
    images[:] = 9
    assert on_device.images.shape == (3, 1, 48, 48)
    assert int(on_device.images.max()) == 0
    assert len(on_device) == 3


def test_views_of_flip_and_ten_crop(faces):
    """Ten crops: four corners and the center, 44 px resized to 48, each with its mirror image."""
    pixels = batches.normalize(faces)
    assert [view is pixels for view in batches.views(pixels, "none")] == [True]
    plain, mirrored = batches.views(pixels, "flip")
    assert torch.equal(plain.flip(-1), mirrored)
    crops = batches.views(pixels, "ten_crop")
    assert len(crops) == 10
    assert all(crop.shape == pixels.shape for crop in crops)
    assert all(torch.equal(a.flip(-1), b) for a, b in zip(crops[::2], crops[1::2], strict=True))


def test_ten_crop_takes_the_corners_and_the_center():
    """A ramp along x: a crop that starts at column c and is resized has mean c + 21.5."""
    ramp = torch.arange(48.0).expand(1, 1, 48, 48)
    means = [float(view.mean()) for view in batches.views(ramp, "ten_crop")[::2]]
    assert np.allclose(means, [21.5, 25.5, 21.5, 25.5, 23.5], atol=1e-3)
    means = [float(view.mean()) for view in batches.views(ramp.mT, "ten_crop")[::2]]
    assert np.allclose(means, [21.5, 21.5, 25.5, 25.5, 23.5], atol=1e-3)


# --- augmentation --------------------------------------------------------------------------------


def test_settings_of_zero_return_the_normalized_images(faces):
    random = torch.rand(6, batches.DRAWS, generator=generator())
    assert torch.equal(batches.augment(faces, random, STILL), batches.normalize(faces))


def test_middle_draws_change_nothing(faces):
    """Every range is symmetric: a draw of 0.5 is no rotation, zoom, shift or change of light."""
    how = default_augment(flip=0.4, erase=0.4, shear_degrees=10)
    changed = batches.augment(faces, draws(6), how)
    torch.testing.assert_close(changed, batches.normalize(faces), rtol=0, atol=2e-5)


def test_a_certain_flip_mirrors_the_columns(faces):
    changed = batches.augment(faces, draws(6), replace(STILL, flip=1))
    torch.testing.assert_close(changed, batches.normalize(faces).flip(-1), rtol=0, atol=2e-5)


@pytest.mark.parametrize("k", [1, 3, 7])
def test_a_shift_moves_whole_pixels_and_repeats_the_edge(faces, k):
    """The highest draw of shift k / 48 shows column min(x + k, 47) at x; for y, row by row."""
    how, pixels = replace(STILL, shift=k / 48), batches.normalize(faces)
    there = torch.arange(48).add(k).clamp_max(47)
    moved = batches.augment(faces, draws(6, x=HIGHEST), how)
    torch.testing.assert_close(moved, pixels[..., there], rtol=0, atol=2e-4)
    moved = batches.augment(faces, draws(6, y=HIGHEST), how)
    torch.testing.assert_close(moved, pixels[..., there, :], rtol=0, atol=2e-4)


def test_a_quarter_turn_is_a_rotation_of_the_array(faces):
    """The highest draw of 90 degrees turns the content counterclockwise, as torch.rot90 does."""
    how = replace(STILL, rotate_degrees=90)
    turned = batches.augment(faces, draws(6, angle=HIGHEST), how)
    want = torch.rot90(batches.normalize(faces), 1, (-2, -1))
    torch.testing.assert_close(turned, want, rtol=0, atol=2e-4)


@pytest.mark.parametrize(("draw", "zoom"), [(HIGHEST, 1.25), (0.0, 0.75)])
def test_zoom_scales_distances_from_the_center(smooth, draw, zoom):
    """A spot d from the center at 23.5 lands at zoom * d: above 1 magnifies."""
    changed = batches.augment(smooth, draws(zoom=draw), replace(STILL, zoom=0.25))
    x, y = center_of_mass(changed)
    assert x == pytest.approx(23.5 + zoom * (32 - 23.5), abs=0.2)
    assert y == pytest.approx(23.5 + zoom * (16 - 23.5), abs=0.2)


def test_shear_moves_rows_by_their_height(smooth):
    """At 45 degrees row y shows column x + y - 23.5: the spot 7.5 rows above goes right by 7.5."""
    changed = batches.augment(smooth, draws(shear=HIGHEST), replace(STILL, shear_degrees=45))
    x, y = center_of_mass(changed)
    assert (x, y) == (pytest.approx(32 + 7.5, abs=0.3), pytest.approx(16, abs=0.3))


@pytest.mark.parametrize("part", ["flip", "rotate_degrees", "shear_degrees"])
def test_rotation_mirror_and_shear_keep_areas(part):
    """The determinant of the linear part is +-1 / zoom**2, whatever is combined with it."""
    how = replace(STILL, flip=0.5, rotate_degrees=30, shear_degrees=20, zoom=0.2)
    how = replace(how, **{part: 0})
    random = torch.rand(50, 6, generator=generator())
    matrices = batches.affine_matrices(random, how)
    zoom = 1 + 0.2 * (2 * random[:, 3] - 1)
    torch.testing.assert_close(torch.linalg.det(matrices[:, :, :2]).abs(), zoom**-2)


def test_brightness_adds_a_share_of_the_gray_range(faces):
    """Brightness 0.1 adds at most 10 % of 2, the width of [-1, 1], and never leaves it."""
    pixels = batches.normalize(faces)
    how = replace(STILL, brightness=0.1)
    brighter = batches.augment(faces, draws(6, brightness=HIGHEST), how)
    torch.testing.assert_close(brighter, (pixels + 0.2).clamp(-1, 1))
    darker = batches.augment(faces, draws(6, brightness=0.0), how)
    torch.testing.assert_close(darker, (pixels - 0.2).clamp(-1, 1))


def test_contrast_scales_around_middle_gray(faces):
    """Contrast 0.2 multiplies by 0.8 to 1.2, and never leaves [-1, 1]."""
    pixels, how = batches.normalize(faces), replace(STILL, contrast=0.2)
    more = batches.augment(faces, draws(6, contrast=HIGHEST), how)
    torch.testing.assert_close(more, (pixels * 1.2).clamp(-1, 1))
    less = batches.augment(faces, draws(6, contrast=0.0), how)
    torch.testing.assert_close(less, pixels * 0.8)


def test_erased_rectangles_have_the_stated_areas_and_shapes():
    """2 to 20 % of the image and 1 : 3.3 to 3.3 : 1, up to a pixel on each side; gray inside."""
    random = torch.rand(2000, 5, generator=generator())
    masks = batches.keep_masks(random, 1.0, side_px=48)[:, 0]
    heights, widths = (1 - masks).amax(2).sum(1), (1 - masks).amax(1).sum(1)
    assert torch.equal((1 - masks).sum((1, 2)), heights * widths)  # whole rectangles
    assert ((heights + 1) * (widths + 1) >= 0.02 * 48**2).all()
    assert ((heights - 1) * (widths - 1) <= 0.20 * 48**2).all()
    assert ((heights - 1) / (widths + 1) <= 3.3).all()
    assert ((widths - 1) / (heights + 1) <= 3.3).all()
    assert float((1 - masks).mean()) == pytest.approx(0.11, abs=0.003)  # the mean of 2 and 20 %


def test_erasing_hits_its_share_of_the_images_and_nothing_else(faces):
    random = torch.rand(4000, 5, generator=generator())
    hit = batches.keep_masks(random, 0.3, side_px=48).amin((1, 2, 3)) == 0
    assert float(hit.float().mean()) == pytest.approx(0.3, abs=0.03)
    changed = batches.augment(faces, draws(6), replace(STILL, erase=1))
    pixels = batches.normalize(faces)
    assert torch.equal(changed, torch.where(changed == 0, 0, pixels))
    assert int((changed == 0).sum()) > 6 * 0.02 * 47**2


def test_a_part_that_is_off_leaves_the_others_as_they_are(faces):
    """Flip and shift of one seed are the same with and without a change of light."""
    random = torch.rand(6, batches.DRAWS, generator=generator())
    moved = replace(STILL, flip=0.5, shift=0.1)
    alone = batches.augment(faces, random, moved)
    lit = batches.augment(faces, random, replace(moved, brightness=0.1))
    shift = 0.2 * (2 * random[:, 7] - 1)
    torch.testing.assert_close(lit, (alone + shift[:, None, None, None]).clamp(-1, 1))


def test_an_image_does_not_depend_on_its_batch(faces):
    random, how = torch.rand(6, batches.DRAWS, generator=generator()), default_augment()
    together = batches.augment(faces, random, how)
    alone = torch.cat([batches.augment(faces[i : i + 1], random[i : i + 1], how) for i in range(6)])
    torch.testing.assert_close(together, alone)


@pytest.mark.gpu
def test_a_gpu_augments_as_the_cpu_does(faces):
    random, how = torch.rand(6, batches.DRAWS, generator=generator()), default_augment()
    there = batches.augment(faces.cuda(), random.cuda(), how).cpu()
    # An edge of an erased rectangle may fall on the other side of a pixel's center.
    assert float((there - batches.augment(faces, random, how)).abs().median()) < 1e-5


# --- batches -------------------------------------------------------------------------------------


def test_shares_reach_every_batch():
    """A quarter of every batch of 400 is real, but for chance: 100, standard deviation 8."""
    faces = batches.DeviceFaces(
        torch.zeros(4000, 1, 48, 48, dtype=torch.uint8), torch.arange(4000) // 40, 40, 0.25
    )
    found = batches.training_batches(faces, make_recipe(batch=400), seed=0, epoch=0, first=0)
    real = [int((batch.labels == 0).sum()) for batch in found]
    assert sum(real) == 1000
    assert all(60 <= count <= 140 for count in real)


def test_blocks_arrive_on_the_device_in_order():
    images = np.random.default_rng(0).integers(0, 256, (10, 48, 48), dtype=np.uint8)
    labels, cpu = np.arange(10), torch.device("cpu")
    want = batches.to_device(images, labels, cpu)
    blocks = (images[start : start + 4] for start in (0, 4, 8))
    found = batches.stream_to_device(blocks, labels, cpu, first=3, first_share=0.5)
    assert torch.equal(found.images, want.images)
    assert torch.equal(found.labels, want.labels)
    assert (found.first, found.first_share) == (3, 0.5)


@pytest.mark.parametrize(("n", "batch", "steps"), [(64, 16, 4), (70, 16, 4), (10, 16, 1)])
def test_only_whole_batches_unless_there_is_just_one(n, batch, steps):
    images = torch.zeros(n, 1, 48, 48, dtype=torch.uint8)
    faces = batches.DeviceFaces(images, torch.arange(n) % 7)
    recipe = make_recipe(batch=batch)
    found = list(batches.training_batches(faces, recipe, seed=0, epoch=0, first=0))
    assert len(found) == batches.steps_per_epoch(n, batch) == steps
    assert all(len(one.images) == min(batch, n) for one in found)


def test_an_epoch_is_a_function_of_seed_and_epoch(faces):
    """The same batches again, also when it starts in the middle; others for another seed, epoch."""
    recipe = make_recipe(batch=2, mixup=0.2, cutmix=1.0)
    on_device = batches.DeviceFaces(faces, torch.arange(6))

    def epoch(seed, epoch, first=0):
        return list(
            batches.training_batches(on_device, recipe, seed=seed, epoch=epoch, first=first)
        )

    whole, rest = epoch(3, 5), epoch(3, 5, first=1)
    for one, two in zip(whole[1:], rest, strict=True):
        assert torch.equal(one.images, two.images)
        assert torch.equal(one.labels, two.labels)
        assert torch.equal(one.shares, two.shares)
    for other in (epoch(4, 5), epoch(3, 6)):
        assert not torch.equal(whole[0].images, other[0].images)


def test_batches_leave_the_global_generators_alone(faces):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    on_device = batches.DeviceFaces(faces, torch.arange(6))
    recipe = make_recipe(batch=2, mixup=0.2, sampling="balanced")
    list(batches.training_batches(on_device, recipe, seed=0, epoch=0, first=0))
    assert torch.equal(before, torch.get_rng_state())
