"""What a GAN is and how it is trained, as values: the presets, and what is refused."""

from typing import Any

import pytest

import made
from ferbench.config.yaml_files import CONF
from ferbench.errors import UserError
from ferbench.recipes.gan import GanSchedule


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "gan").glob("*.yaml")))
def test_every_preset_stands(name: str) -> None:
    assert made.gan_recipe(name).name == name


def test_an_acgan_is_trained_with_its_class_loss_and_no_other_is() -> None:
    assert (made.gan_recipe("acgan").aux_weight, made.gan_recipe("cgan").aux_weight) == (1.0, 0.0)
    with pytest.raises(UserError, match=r"gan\.aux_weight=0\.0: expected more than 0"):
        made.gan_recipe("acgan", aux_weight=0.0)
    with pytest.raises(UserError, match=r"gan\.aux_weight=1\.0: .* 0 with the others"):
        made.gan_recipe("cgan", aux_weight=1.0)
    with pytest.raises(UserError, match=r"gan\.conditional=false: an acgan needs classes"):
        made.gan_recipe("acgan", conditional=False)


@pytest.mark.parametrize("key", ["path_interval", "style_mixing"])
def test_what_needs_styles_is_refused_without(key: str) -> None:
    with pytest.raises(UserError, match=rf"gan\.{key}=1: gan\.kind=cgan has no styles"):
        made.gan_recipe("cgan", **{key: 1})


@pytest.mark.parametrize(
    "points", [[[0, 1], [0, 2]], [[5, 1], [1, 1]], [[0]], [[0, 1, 2]], [[0, -1]], [[-1, 1]]]
)
def test_a_schedule_has_pairs_of_rising_kimg(points: list[list[float]]) -> None:
    with pytest.raises(UserError, match=r"gan\.schedule\.lr=.*expected \[kimg, factor\] pairs"):
        GanSchedule(lr=points, penalty=[], augment_p=[])


def test_a_schedule_of_the_probability_needs_a_fixed_augmentation() -> None:
    schedule = GanSchedule(lr=[], penalty=[], augment_p=[[0, 1], [100, 0.5]])
    assert made.gan_recipe(augment="fixed", schedule=schedule).schedule is schedule
    with pytest.raises(UserError, match=r"expected gan\.augment=fixed"):
        made.gan_recipe(augment="ada", schedule=schedule)


@pytest.mark.parametrize(
    ("key", "value"), [("loss", "hinge"), ("graphs", "maybe"), ("r2_gamma", -1.0)]
)
def test_unknown_losses_graphs_and_weights_are_refused(key: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"gan\.{key}="):
        made.gan_recipe(**{key: value})
