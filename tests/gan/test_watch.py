"""Warnings of a GAN run, from numbers alone."""

import numpy as np
import pytest

import made
from ferbench.errors import UserError
from ferbench.gan import watch
from ferbench.gan.faces import prepare
from ferbench.gan.watch import Warnings


def test_real_diversity_is_the_mean_distance_of_pairs() -> None:
    """Two black and two white faces: of 6 pairs, 4 differ by 2 everywhere: 8 / 6."""
    images = np.zeros((28, 8, 8), np.uint8)
    images[::2] = 255
    labels = np.repeat(np.arange(7), 4)
    faces = prepare(images, labels, res=8, channels=1, conditional=True)
    assert watch.real_diversity(faces) == pytest.approx([8 / 6] * 7)


def test_only_the_class_that_is_all_alike_has_collapsed() -> None:
    found = watch.collapsed([0.3, 0.01], [0.4, 0.4], ["happy", "sad"], share=0.2)
    assert found == ["sad has collapsed: its samples differ by 0.010, real faces by 0.400"]


@pytest.mark.parametrize(("real", "fake", "lines"), [(5, -5, 0), (101, -3, 1), (2, -130, 1)])
def test_logits_run_away_beyond_the_limit(real: float, fake: float, lines: int) -> None:
    numbers = {"real_logit": real, "fake_logit": fake}
    assert len(watch.running_away(numbers, limit=100)) == lines


@pytest.mark.parametrize(("p", "p_max", "lines"), [(0.8, 0.8, 1), (0.5, 0.8, 0), (0.0, 0.0, 0)])
def test_augmentation_at_its_bound_is_warned_of(p: float, p_max: float, lines: int) -> None:
    assert len(watch.at_bound(p, p_max)) == lines


def warnings_of(**changes: object) -> Warnings:
    """Over black and white faces, which differ by 8 / 6 in every class."""
    images = np.zeros((28, 8, 8), np.uint8)
    images[::2] = 255
    faces = prepare(images, np.repeat(np.arange(7), 4), res=8, channels=1, conditional=True)
    return Warnings(made.gan_recipe(**changes), faces)


def row(warnings: Warnings, **changes: float) -> dict[str, float]:
    diversity = {f"diversity_{name}": 1.0 for name in warnings.names}
    return {"kimg": 50.0, "augment_p": 0.0, **diversity, **changes}


def test_a_warning_is_printed_once_until_it_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    warnings, lines = warnings_of(), []
    for sad in (1.0, 0.1, 0.05, 1.0, 0.1):
        warnings.check(row(warnings, diversity_sad=sad))
        lines.append(capsys.readouterr().out.count("warning: sad has collapsed"))
    assert lines == [0, 1, 0, 0, 1]


def test_nothing_is_warned_of_before_the_recipe_says(capsys: pytest.CaptureFixture[str]) -> None:
    warnings = warnings_of(collapse_from_kimg=60.0)
    warnings.check(row(warnings, diversity_sad=0.0, real_logit=1000.0))
    assert capsys.readouterr().out == ""


def test_a_collapse_ends_the_run_if_asked_and_a_full_augmentation_does_not() -> None:
    warnings = warnings_of(stop_on_collapse=True)
    warnings.check(row(warnings, augment_p=0.8))
    with pytest.raises(UserError, match=r"stop_on_collapse=true: .*logits are diverging"):
        warnings.check(row(warnings, real_logit=101.0))
