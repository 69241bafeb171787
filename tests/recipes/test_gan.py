"""What a GAN is and how it is trained, as values: the presets, and what is refused."""

from typing import Any

import pytest
import yaml

from ferbench.config.yaml_files import CONF
from ferbench.errors import UserError
from ferbench.recipes.gan import GanRecipe


def recipe_of(*files: str, **changes: Any) -> GanRecipe:
    values: dict[str, Any] = {}
    for file in ("fer48", *files):
        values |= yaml.safe_load((CONF / f"gan/{file}.yaml").read_text())
    values.pop("defaults", None)
    return GanRecipe(**{**values, **changes})


@pytest.mark.parametrize("name", ["acgan", "cgan", "cifar", "fer32", "fer64", "study", "tiny"])
def test_every_preset_stands(name: str) -> None:
    assert recipe_of(name).name == name


def test_an_acgan_is_trained_with_its_class_loss_and_no_other_is() -> None:
    assert (recipe_of("acgan").aux_weight, recipe_of("cgan").aux_weight) == (1.0, 0.0)
    with pytest.raises(UserError, match=r"gan\.aux_weight=0\.0: expected more than 0"):
        recipe_of("acgan", aux_weight=0.0)
    with pytest.raises(UserError, match=r"gan\.aux_weight=1\.0: .* 0 with the others"):
        recipe_of("cgan", aux_weight=1.0)
    with pytest.raises(UserError, match=r"gan\.conditional=false: an acgan needs classes"):
        recipe_of("acgan", conditional=False)


@pytest.mark.parametrize("key", ["path_interval", "style_mixing"])
def test_what_needs_styles_is_refused_without(key: str) -> None:
    with pytest.raises(UserError, match=rf"gan\.{key}=1: gan\.kind=cgan has no styles"):
        recipe_of("cgan", **{key: 1})
