import pytest

from stylegan2_ada import ada_step

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
def test_step(p, sign_mean, want):
    assert ada_step(p, sign_mean, **STEP) == pytest.approx(want, abs=1e-12)


def test_p_goes_from_zero_to_one_in_the_ramp():
    """500 thousand images in steps of 5,000: 100 steps of 0.01."""
    p = 0.0
    for _ in range(99):
        p = ada_step(p, 1.0, target=0.6, images=5000, ramp_kimg=500, p_max=1.0)
    assert p == pytest.approx(0.99)
    assert ada_step(p, 1.0, target=0.6, images=5000, ramp_kimg=500, p_max=1.0) == pytest.approx(1)
