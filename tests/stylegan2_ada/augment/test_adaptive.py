from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stylegan2_ada.augment import AugmentConfig, AugmentPipe, ada_step, pipe
from stylegan2_ada.augment.color import filter_bank, filter_images
from stylegan2_ada.augment.config import PIPES
from stylegan2_ada.augment.draws import Draws, Term

ARRAYS = np.load(Path(__file__).parents[2] / "reference" / "augment.npz", allow_pickle=False)
CASES = [str(case) for case in ARRAYS["cases"]]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def built(name: str, p: float, p_max: float = 1.0) -> AugmentPipe:
    """A named pipe, or one augmentation alone."""
    single = name not in PIPES or name == "cutout"
    augment = AugmentPipe(AugmentConfig(**{name: 1.0}) if single else pipe(name), p_max=p_max)
    augment.set_p(p)
    return augment


@pytest.mark.parametrize("number", range(len(CASES)), ids=[c.replace(" ", "-") for c in CASES])
def test_published_numbers(number):
    case = dict(item.split("=") for item in CASES[number].split())
    images = torch.from_numpy(ARRAYS["images_gray" if case["channels"] == "1" else "images_rgb"])
    augment = built(case["augment"], p=1.0)
    y = augment(images, seeded(0), percentile=float(case["percentile"]))
    reference = torch.from_numpy(ARRAYS[f"case{number:03d}/y"])
    assert (y - reference).norm() / reference.norm() < 1e-5


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", sorted(PIPES))
def test_p_zero_is_the_identity_and_p_one_is_not(name, channels):
    images = torch.randn(8, channels, 24, 24, generator=seeded(0))
    assert torch.equal(built(name, p=0.0)(images, seeded(1)), images)
    out = built(name, p=1.0)(images, seeded(1))
    assert out.shape == images.shape
    changed = (out != images).flatten(1).any(1).float().mean()
    assert changed >= 0.75
    assert torch.isfinite(out).all()


def test_none_has_no_augmentation():
    images = torch.randn(4, 1, 16, 16)
    augment = AugmentPipe(pipe("none"), p_max=1.0)
    augment.set_p(1.0)
    assert torch.equal(augment(images, seeded(0)), images)


def test_unknown_pipe_is_named():
    with pytest.raises(ValueError, match="pipe=bgx"):
        pipe("bgx")


def test_draws_come_from_the_generator_alone():
    images = torch.randn(4, 3, 24, 24, generator=seeded(0))
    augment = built("bgcfnc", p=0.6)
    torch.manual_seed(1)
    once = augment(images, seeded(7))
    torch.manual_seed(2)
    assert torch.equal(once, augment(images, seeded(7)))
    assert not torch.equal(once, augment(images, seeded(8)))


def test_p_is_clamped_and_kept_in_the_state():
    augment = built("bgc", p=0.9, p_max=0.75)
    assert augment.p == 0.75
    augment.set_p(-1.0)
    assert augment.p == 0
    augment.set_p(0.5)
    other = AugmentPipe(pipe("bgc"), p_max=0.75)
    other.load_state_dict(augment.state_dict())
    assert other.p == 0.5
    lower = AugmentPipe(pipe("bgc"), p_max=0.25)
    lower.load_state_dict(augment.state_dict())
    assert lower.p == 0.25


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def test_gates_open_with_the_probability_given():
    """2,000 gates at p * strength = 0.3: the share is within 3 deviations (0.01 each)."""
    draws = Draws([Term("shift", "normal", 1.0, 0.5)])
    drawn = draws(2000, scalar(0.6), seeded(0))
    share = drawn.happens("shift").float().mean().item()
    assert abs(share - 0.3) < 0.031
    assert torch.equal(drawn["shift"] != 0, drawn.happens("shift"))


def test_one_gate_an_image():
    draws = Draws([Term("shift", "normal", 1.0, 1.0, size=2)])
    rows = (draws(100, scalar(0.5), seeded(0))["shift"] != 0).float()
    assert torch.equal(rows[:, 0], rows[:, 1])
    assert 0 < rows.mean() < 1


def test_one_gate_a_number_where_asked():
    draws = Draws([Term("band", "normal", 1.0, 1.0, size=2, own_gates=True)])
    rows = draws(2000, scalar(0.5), seeded(0))["band"] != 0
    assert abs(rows.all(1).float().mean() - 0.25) < 0.029


def test_numbers_have_their_distributions():
    """Moments of 20,000 open draws within 4 deviations; whole numbers equally often."""
    kinds = {"normal": 0.5, "uniform": 3.0, "choice": 4}
    draws = Draws([Term(kind, kind, spread, 1.0) for kind, spread in kinds.items()])
    drawn = draws(20_000, scalar(1.0), seeded(0))
    assert abs(drawn["normal"].mean()) < 4 * 0.5 / 20_000**0.5
    assert abs(drawn["normal"].std() - 0.5) < 0.01
    assert abs(drawn["uniform"].mean()) < 4 * 3**0.5 / 20_000**0.5
    assert drawn["uniform"].abs().max() <= 3
    assert drawn["uniform"].abs().max() > 2.99
    values, counts = drawn["choice"].unique(return_counts=True)
    assert values.tolist() == [0, 1, 2, 3]
    assert ((counts - 5000).abs() < 4 * 61.3).all()


def smooth(images: int) -> torch.Tensor:
    """[images, 1, 32, 32] without fine detail: the wavelet is not quite symmetric."""
    coarse = torch.randn(images, 1, 4, 4, generator=seeded(0))
    return F.interpolate(coarse, size=32, mode="bicubic")


def test_flip_alone_mirrors_or_keeps():
    images = smooth(32)
    out = built("xflip", p=1.0)(images, seeded(1))
    kept = (out - images).abs().amax([1, 2, 3]) == 0
    mirrored = (out - images.flip(3)).abs().amax([1, 2, 3]) < 0.1
    assert (kept | mirrored).all()
    assert 0 < kept.sum() < 32


@pytest.mark.parametrize(("quarters", "percentile"), [(0, 0.1), (1, 0.3), (2, 0.6), (3, 0.9)])
def test_quarter_turns(quarters, percentile):
    images = smooth(1)
    out = built("rotate90", p=1.0)(images, seeded(0), percentile=percentile)
    errors = [(out - torch.rot90(images, turns, [2, 3])).abs().max() for turns in range(4)]
    assert errors[quarters] < 0.1
    assert sorted(range(4), key=lambda i: errors[i])[0] == quarters


def test_whole_pixel_shifts_are_exact_and_reflect():
    """percentile 0.9: 0.8 * 0.125 * 32 = 3.2, rounded to 3 pixels right and down."""
    images = torch.randn(1, 1, 32, 32, generator=seeded(0))
    out = built("xint", p=1.0)(images, seeded(0), percentile=0.9)
    want = F.pad(images, [3, 0, 3, 0], mode="reflect")[:, :, :32, :32]
    torch.testing.assert_close(out, want, rtol=1e-5, atol=1e-5)


def test_an_image_does_not_depend_on_the_others_of_the_batch():
    """The same draws with other neighbours, whose maps need other margins."""
    images = torch.randn(2, 1, 16, 16, generator=seeded(0))
    augment = built("scale", p=1.0)
    small = augment(images[:1], seeded(3))
    first = augment(images, seeded(3))[:1]
    drawn = [augment.draws(images, augment.p, seeded(3))["scale"] for images in (1, 2)]
    assert drawn[0][0] == drawn[1][0]
    torch.testing.assert_close(first, small, rtol=1e-5, atol=1e-5)


def test_the_filter_bank_splits_and_rejoins():
    """The four bands sum to the unit impulse."""
    total = filter_bank().sum(0)
    want = torch.zeros_like(total)
    want[len(want) // 2] = 1
    torch.testing.assert_close(total, want)


def test_unit_gains_leave_images_as_they_are_even_when_smaller_than_the_filter():
    images = torch.randn(2, 3, 8, 12, generator=seeded(0))
    out = filter_images(images, filter_bank().sum(0).expand(2, -1))
    torch.testing.assert_close(out, images)


def test_filtering_reflects_edges():
    """A moving average of three at the left edge of 0 1 2 3: (1 + 0 + 1) / 3 on one row."""
    images = torch.tensor([[0.0, 1.0, 2.0, 3.0]] * 4)[None, None]
    out = filter_images(images, torch.full([1, 3], 1 / 3))
    torch.testing.assert_close(out[0, 0, 0], torch.tensor([2 / 3, 1.0, 2.0, 7 / 3]))


def test_noise_differs_between_pixels_and_images():
    images = torch.zeros(4, 1, 16, 16)
    out = built("noise", p=1.0)(images, seeded(0))
    deviations = out.flatten(1).std(1)
    assert (deviations > 0).all()
    assert deviations.max() < 0.5
    assert len(set(deviations.tolist())) == 4


@pytest.mark.parametrize("name", ["bg", "color", "filter", "cutout"])
def test_differentiable_twice(name):
    augment = built(name, p=1.0).double()
    images = torch.randn(1, 3, 6, 6, dtype=torch.float64, generator=seeded(0), requires_grad=True)

    def function(x):
        return augment(x, seeded(1))

    assert torch.autograd.gradcheck(function, [images])
    assert torch.autograd.gradgradcheck(lambda x: function(x).square(), [images])


# --- the controller of p ------------------------------------------------------------------------

STEP = {"target": 0.6, "images": 256, "ramp_kimg": 500, "p_max": 0.8}


@pytest.mark.parametrize(
    ("p", "sign_mean", "want"),
    [
        (0.3, 0.7, 0.3 + 0.000512),  # overfitting: 256 / 500 thousand up
        (0.3, 0.5, 0.3 - 0.000512),
        (0.3, 0.6, 0.3),
        (0.0, -1.0, 0.0),
        (0.8, 1.0, 0.8),
        (0.7999, 1.0, 0.8),
    ],
)
def test_ada_step_moves_p_toward_the_target(p, sign_mean, want):
    moved = ada_step(scalar(p), scalar(sign_mean), **STEP)
    assert moved.dtype == torch.float64
    assert moved.item() == pytest.approx(want, abs=1e-12)


def test_p_stays_where_nothing_was_counted():
    assert ada_step(scalar(0.3), scalar(float("nan")), **STEP) == 0.3


def test_p_goes_from_zero_to_one_in_the_ramp():
    """500 thousand images in steps of 5,000: 100 steps of 0.01."""
    p, ramp = scalar(0.0), STEP | {"images": 5000, "p_max": 1.0}
    for _ in range(99):
        p = ada_step(p, scalar(1.0), **ramp)
    assert p.item() == pytest.approx(0.99)
    assert ada_step(p, scalar(1.0), **ramp).item() == pytest.approx(1)
