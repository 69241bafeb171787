"""What a GAN is and how it is trained, as values: the presets, and what is refused."""

import pytest

import made
from ferbench.config.yaml_files import CONF
from ferbench.errors import UserError


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
