"""Checks of the data section: no key that would be ignored, and names for the table."""

from collections.abc import Iterator
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from ferbench.config.store import register
from ferbench.config.yaml_files import CONF
from ferbench.errors import UserError


@pytest.fixture(scope="module", autouse=True)
def _hydra() -> Iterator[None]:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def data_of(*overrides: str) -> Any:
    job: Any = OmegaConf.to_object(compose("classify", list(overrides)))
    return job.data


@pytest.mark.parametrize(
    ("words", "label", "takes"),
    [
        ("data=real", "real", False),
        ("data=toy", "toy", False),
        ("data=real data.real_limit=0.1", "real-limit-0.1", False),
        ("data=synthetic", "synthetic", True),
        ("data=synthetic data.base=toy", "synthetic", True),
        ("data=mixed data.real_fraction=0.3", "mixed-replace-0.3", True),
        ("data=mixed data.real_fraction=0", "mixed-replace-0", True),
        ("data=mixed data.real_fraction=1", "mixed-replace-1", False),
        ("data=mixed data.mix=add data.synthetic_per_real=0.5", "mixed-add-0.5", True),
        ("data=mixed data.mix=augment data.synthetic_per_real=4", "mixed-augment-4", False),
        (
            "data=mixed data.mix=add data.synthetic_per_real=1 data.real_limit=0.01",
            "mixed-add-1-limit-0.01",
            True,
        ),
        ("data=synthetic data.teacher=auto", "synthetic-taught", True),
        ("data=synthetic data.teacher=auto data.teacher_weight=0", "synthetic", True),
        ("data=real data.teacher=auto", "real-taught", False),
        ("data=toy data.teacher=auto data.teacher_weight=0", "toy", False),
        ("data=real data.teacher_weight=null", "real", False),  # as runs of before have it
        (
            "data=mixed data.real_fraction=0.5 data.teacher=auto data.teacher_labels=all",
            "mixed-replace-0.5-taught-all",
            True,
        ),
        ("data=mixed data.real_fraction=0.5 data.teacher_labels=all", "mixed-replace-0.5", True),
        (
            "data=synthetic data.synthetic_online=true data.synthetic_balance=natural",
            "synthetic-online",
            True,
        ),
        (
            "data=mixed data.real_fraction=0.3 data.synthetic_online=true data.teacher=x "
            "data.real_limit=0.1",
            "mixed-replace-0.3-limit-0.1-online-taught",
            True,
        ),
    ],
)
def test_names_in_the_table_and_need_of_a_synthetic_set(
    words: str, label: str, takes: bool
) -> None:
    data = data_of(*words.split())
    assert (data.label, data.takes_synthetic) == (label, takes)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "data=real data.synthetic=x",
            "data.synthetic=x: not with data=real; expected data=synthetic or data=mixed",
        ),
        (
            "data=real data.real_weight=0.5",
            "data.real_weight=0.5: not with data=real; expected data=mixed",
        ),
        ("data=synthetic data.real_limit=0.1", "data.real_limit=0.1: not with data=synthetic; "),
        ("data=mixed data.synthetic_limit=70", "data.synthetic_limit=70: not with data=mixed; "),
        (
            "data=mixed data.mix=add data.real_fraction=0.5",
            "data.real_fraction=0.5: not with mix=add; expected data.mix=replace",
        ),
        (
            "data=mixed data.synthetic_per_real=1",
            "data.synthetic_per_real=1.0: not with "
            "mix=replace; expected data.mix=add or data.mix=augment",
        ),
        ("data=real data.base=toy", "data.base=toy: unknown; expected one of real"),
        ("data=mixed data.base=fer", "data.base=fer: unknown; "),
        ("data=mixed data.mix=ad", "data.mix=ad: unknown; did you mean add"),
        ("data=mixed data.mix=null", "data.mix=null: unknown; "),
        ("data=synthetic data.normalize=null", "data.normalize=null: unknown; "),
        ("data=mixed data.real_fraction=1.1", "data.real_fraction=1.1: expected a value from 0 to"),
        ("data=mixed data.mix=add data.synthetic_per_real=0", "data.synthetic_per_real=0.0: exp"),
        ("data=real data.real_limit=0", "data.real_limit=0.0: expected more than 0 and less than"),
        ("data=real data.real_limit=1", "data.real_limit=1.0: expected more than 0 and less than"),
        ("data=mixed data.real_weight=nan", "data.real_weight=nan: expected more than 0 and less"),
        ("data=synthetic data.synthetic_limit=6", "data.synthetic_limit=6: expected a value fro"),
        (
            "data=synthetic data.synthetic_balance=natural",
            "data.synthetic_balance=natural: "
            "chooses among the images of a set; expected data.synthetic_limit=N",
        ),
        ("data=synthetic data.base=toy data.toy_train=6", "data.toy_train=6: expected at least 7"),
        ("data=real data.teacher=auto data.teacher_weight=null", "data.teacher_weight=null: a va"),
        ("data=real data.teacher_labels=all", "data.teacher_labels=all: not with data=real; expec"),
        ("data=mixed data.teacher_labels=real", "data.teacher_labels=real: unknown; expected one"),
        ("data=toy data.synthetic_online=true", "data.synthetic_online=True: not with data=toy; "),
        ("data=synthetic data.teacher_weight=1.5", "data.teacher_weight=1.5: expected a value fro"),
        ("data=synthetic data.teacher_weight=null", "data.teacher_weight=null: a value is needed "),
        ("data=mixed data.teacher_temperature=0", "data.teacher_temperature=0.0: expected a valu"),
        ("data=synthetic data.synthetic_online=null", "data.synthetic_online=null: a value is nee"),
        ("data=synthetic data.generator=g", "data.generator=g: draws images with data.synthetic_o"),
        (
            "data=synthetic data.synthetic_online=true data.synthetic=s",
            "data.synthetic=s: not with data.synthetic_online=true",
        ),
        (
            "data=synthetic data.synthetic_online=true data.normalize=source",
            "data.normalize=source: not with data.synthetic_online=true",
        ),
        ("data.draw_seed=-1", "data.draw_seed=-1: expected at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused(words: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        data_of(*words.split())
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "data=mixed",
            "data.real_fraction=: a value is needed with data=mixed mix=replace; "
            "expected one from 0 to 1",
        ),
        (
            "data=mixed data.mix=add",
            "data.synthetic_per_real=: a value is needed with data=mixed "
            "mix=add; expected one from 0.01 to 1000",
        ),
    ],
)
def test_a_mix_without_its_amount_composes_but_cannot_be_used(words: str, message: str) -> None:
    data = data_of(*words.split())
    for use in ("amount", "label", "takes_synthetic"):
        with pytest.raises(UserError) as refused:
            getattr(data, use)
        assert str(refused.value) == message


def test_only_real_and_toy_name_a_face_set() -> None:
    assert data_of("data=real", "outputs=o").faces_folder == "o/data/fer2013"
    assert data_of("data=toy", "outputs=o").faces_folder == "o/data/toy"
    for name in ("synthetic", "mixed"):
        with pytest.raises(UserError, match=f"^data={name}: only ferbench classify"):
            _ = data_of(f"data={name}").faces_folder
