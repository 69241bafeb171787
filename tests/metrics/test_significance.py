"""Differences between classifiers: exact where there is a closed form, calibrated where not."""

import numpy as np
import pytest

from ferbench.metrics import significance
from ferbench.metrics.significance import difference, holm, mcnemar, t_interval, verdict


def hits(*counts: tuple[int, bool, bool]) -> tuple[np.ndarray, np.ndarray]:
    """Two [1, N] rows from (how many images, first is right, second is right)."""
    one = np.concatenate([np.full(n, a) for n, a, _ in counts])
    two = np.concatenate([np.full(n, b) for n, _, b in counts])
    return one[None], two[None]


def test_mcnemar_is_the_sign_test_of_the_images_that_differ() -> None:
    """10 against 2 of 12: p = 2 (C(12,0) + C(12,1) + C(12,2)) / 2^12 = 158 / 4096."""
    one, two = hits((10, True, False), (2, False, True), (500, True, True), (90, False, False))
    assert mcnemar(one[0], two[0]) == pytest.approx(158 / 4096)
    assert mcnemar(two[0], one[0]) == pytest.approx(158 / 4096)
    assert mcnemar(one[0], one[0]) == 1.0


def test_a_difference_of_one_seed_is_mcnemar_s() -> None:
    one, two = hits((30, True, False), (10, False, True), (60, True, True))
    found = difference(one, two, seed=0)
    assert found.value == pytest.approx(0.2)
    assert found.p_images == mcnemar(one[0], two[0])
    assert found.p_seeds is None
    assert found.low < 0.2 < found.high


def test_sign_flips_of_equal_seeds_are_mcnemar_s_test() -> None:
    """Two seeds with the very same answers carry no more than one."""
    one, two = hits((18, True, False), (8, False, True), (100, True, True))
    found = difference(np.repeat(one, 2, 0), np.repeat(two, 2, 0), seed=0)
    assert found.p_images == pytest.approx(mcnemar(one[0], two[0]), abs=0.02)


def test_the_interval_is_that_of_the_normal_law_for_many_images() -> None:
    """sd of the mean of values in {-1, 0, 1}: sqrt((p + q - (p - q)^2) / N)."""
    one, two = hits((900, True, False), (600, False, True), (3500, True, True))
    found = difference(one, two, seed=0)
    half = 1.96 * np.sqrt((0.3 - 0.06**2) / 5000)
    assert found.low == pytest.approx(0.06 - half, abs=0.001)
    assert found.high == pytest.approx(0.06 + half, abs=0.001)


def test_p_is_below_5_percent_in_5_percent_of_equal_cells() -> None:
    """200 pairs of cells without a difference, two seeds each: 10 are expected, 20 would be odd."""
    rng = np.random.default_rng(0)
    easy = rng.random(400)
    small = 0
    for seed in range(200):
        one, two = (rng.random((2, 400)) < easy for _ in range(2))
        small += difference(one, two, seed=seed).p_images < 0.05
    assert 2 <= small <= 20


def test_three_seeds_are_tested_over_seeds() -> None:
    """Gaps 0.1, 0.2, 0.3: t = 0.2 / (0.1 / sqrt 3) with 2 degrees of freedom, p = 0.0742."""
    others = np.zeros((3, 10), dtype=bool)
    ones = np.array([[True] * n + [False] * (10 - n) for n in (1, 2, 3)])
    assert difference(ones, others, seed=0).p_seeds == pytest.approx(0.0742, abs=1e-4)


def test_holm_multiplies_the_smallest_most() -> None:
    """0.01 x 3, then 0.02 x 2, then 0.04 x 1, never below an earlier one."""
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("value", "adjusted", "p_seeds", "word"),
    [
        (0.1, 0.01, 0.01, "better"),
        (-0.1, 0.01, 0.01, "worse"),
        (0.1, 0.06, 0.01, "noise"),
        (0.1, 0.01, 0.2, "noise"),
        (0.1, 0.01, None, "better (seeds not tested)"),
        (0.0, 0.01, 0.01, "noise"),
    ],
)
def test_a_difference_that_is_noise_is_called_so(
    value: float, adjusted: float, p_seeds: float | None, word: str
) -> None:
    found = significance.Difference(value, 0, 0, adjusted, p_seeds, 1)
    assert verdict(found, adjusted) == word


def test_t_interval_of_two_values() -> None:
    """1 and 3: mean 2, sd sqrt 2, t(1) = 12.706, half width 12.706."""
    assert t_interval([1.0, 3.0]) == pytest.approx((2 - 12.706, 2 + 12.706), abs=1e-3)
    assert t_interval([1.0]) is None
