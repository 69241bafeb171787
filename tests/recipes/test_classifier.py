"""How a classifier is trained, as values: what is refused."""

from typing import Any

import pytest
import yaml

from ferbench.config.yaml_files import CONF
from ferbench.errors import UserError
from ferbench.recipes.classifier import Augment, Recipe


def recipe_of(**changes: Any) -> Recipe:
    values = yaml.safe_load((CONF / "train/default.yaml").read_text())
    return Recipe(**{**values, "augment": Augment(**values["augment"]), **changes})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accumulate": 0}, r"train\.accumulate=0: expected at least 1"),
        ({"batch": 1}, r"train\.batch=1: expected at least 2"),
        (
            {"label_smoothing": 1.0},
            r"train\.label_smoothing=1\.0: expected a value from 0 to 0\.99",
        ),
        ({"class_weights": "inverted"}, r"train\.class_weights=inverted: .*inverse"),
        ({"sampling": "balance"}, r"train\.sampling=balance: .*balanced"),
        ({"schedule": "onecycle"}, r"train\.schedule=onecycle: .*one_cycle"),
        ({"optimizer": "adam"}, r"train\.optimizer=adam: .*adamw"),
        ({"graphs": "yes"}, r"train\.graphs=yes: unknown; expected one of auto, false, true"),
        ({"warmup_epochs": 26}, r"train\.warmup_epochs=26: expected a value from 0 to 25"),
    ],
)
def test_values_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        recipe_of(**change)


def test_augmentation_has_bounds() -> None:
    values = yaml.safe_load((CONF / "train/default.yaml").read_text())["augment"]
    with pytest.raises(
        UserError, match=r"train\.augment\.erase=1\.5: expected a value from 0 to 1"
    ):
        Augment(**{**values, "erase": 1.5})
