"""Checks of the data section: no key that would be ignored, and names for the table."""

from operator import attrgetter
from typing import Any

import pytest

import made
from ferbench.cli.arguments import for_hydra
from ferbench.config.identity import identity
from ferbench.errors import UserError


def data_of(*overrides: str) -> Any:
    return made.job("classify", *overrides).data


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
            "data.synthetic.folder=x: not with data=real; expected data=synthetic or data=mixed",
        ),
        (
            "data=real data.real_weight=0.5",
            "data.mix.real_weight=0.5: not with data=real; expected data=mixed",
        ),
        ("data=synthetic data.real_limit=0.1", "data.real_limit=0.1: not with data=synthetic; "),
        ("data=mixed data.synthetic_limit=70", "data.synthetic.limit=70: not with data=mixed; "),
        (
            "data=mixed data.mix=add data.real_fraction=0.5",
            "data.mix.real_fraction=0.5: not with mix=add; expected mix=replace",
        ),
        (
            "data=mixed data.synthetic_per_real=1",
            "data.mix.synthetic_per_real=1.0: not with mix=replace; expected mix=add or mix=augm",
        ),
        (
            "data=real data.base=toy",
            "data.base=toy: not with data=real; expected data=synthe",
        ),
        ("data=mixed data.base=fer", "data.base=fer: unknown; "),
        ("data=mixed data.mix=ad", "data.mix.how=ad: unknown; did you mean add"),
        ("data=mixed data.mix=null", "data.mix.how=null: a value is needed with data=mixed"),
        ("data=synthetic data.normalize=null", "data.synthetic.normalize=null: a value is nee"),
        ("data=synthetic data.normalize=own", "data.synthetic.normalize=own: unknown; expect"),
        (
            "data=mixed data.real_fraction=1.1",
            "data.mix.real_fraction=1.1: expected a value ",
        ),
        ("data=mixed data.mix=add data.synthetic_per_real=0", "data.mix.synthetic_per_real=0."),
        ("data=real data.real_limit=0", "data.real_limit=0.0: expected more than 0 and less than"),
        ("data=real data.real_limit=1", "data.real_limit=1.0: expected more than 0 and less than"),
        ("data=mixed data.real_weight=nan", "data.mix.real_weight=nan: expected more than 0 and"),
        ("data=synthetic data.synthetic_limit=6", "data.synthetic.limit=6: expected a value fro"),
        (
            "data=synthetic data.synthetic_balance=natural",
            "data.synthetic.balance=natural: "
            "chooses among the images of a set; expected data.synthetic.limit=N",
        ),
        ("data=synthetic data.base=toy data.toy_train=6", "data.toy.train=6: expected at least 7"),
        ("data=real data.toy_train=70", "data.toy.train=70: not with data=real; expected data=toy"),
        ("data=toy data.toy_private=null", "data.toy.private=null: toy faces need a number"),
        ("data=mixed data.base=toy mix=add data.toy_seed=null", "data.toy.seed=null: toy faces n"),
        ("data=real data.teacher_labels=all", "data.teacher.labels=all: not with data=real; expec"),
        ("data=mixed data.teacher_labels=real", "data.teacher.labels=real: unknown; expected one"),
        ("data=toy data.synthetic_online=true", "data.synthetic.online=True: not with data=toy; "),
        ("data=synthetic data.teacher_weight=1.5", "data.teacher.weight=1.5: expected a value fro"),
        ("data=mixed data.teacher_temperature=0", "data.teacher.temperature=0.0: expected a valu"),
        ("data=synthetic data.synthetic_online=null", "data.synthetic.online=null: a value is nee"),
        ("data=synthetic data.generator=g", "data.synthetic.generator=g: draws images with data.s"),
        (
            "data=synthetic data.synthetic_online=true data.synthetic=s",
            "data.synthetic.folder=s: not with data.synthetic.online=true",
        ),
        (
            "data=synthetic data.synthetic_online=true data.normalize=source",
            "data.synthetic.normalize=source: not with data.synthetic.online=true",
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
            "data.mix.real_fraction=: a value is needed with data=mixed mix=replace; "
            "expected one from 0 to 1",
        ),
        (
            "data=mixed data.mix=add",
            "data.mix.synthetic_per_real=: a value is needed with data=mixed "
            "mix=add; expected one from 0.01 to 1000",
        ),
    ],
)
def test_a_mix_without_its_amount_composes_but_cannot_be_used(words: str, message: str) -> None:
    data = data_of(*words.split())
    for use in ("mix.amount", "label", "takes_synthetic"):
        with pytest.raises(UserError) as refused:
            attrgetter(use)(data)
        assert str(refused.value) == message


@pytest.mark.parametrize("command", ["prepare", "evaluate run=r", "fidelity", "audit", "bias"])
def test_other_commands_read_real_or_toy_faces_and_know_nothing_of_mixing(command: str) -> None:
    name, *words = command.split()
    for data, folder in (("real", "fer2013"), ("toy", "toy")):
        given = [*words, f"data={data}", "outputs=o", *["source=x"] * (name == "prepare")]
        assert made.job(name, *given).data.folder == f"o/data/{folder}"
    for data in ("synthetic", "mixed"):
        options = "own, real, toy" if name == "evaluate" else "real, toy"
        expected = f"^data={data}: no such option of ferbench {name}; expected one of {options}"
        with pytest.raises(UserError, match=expected):
            for_hydra(name, [*words, f"data={data}"])
    for key in ("data.teacher", "data.mix", "mix", "data.synthetic", "data.base"):
        with pytest.raises(UserError, match=f"^{key}: no such key of ferbench {name}"):
            for_hydra(name, [*words, f"{key}=x"])


def test_a_limit_is_taken_where_training_images_are_read() -> None:
    for name in ("train-gan", "fidelity", "audit", "bias", "curate"):
        data = made.job(name, "real_limit=0.1", "data.draw_seed=3").data
        assert (data.real_limit, data.draw_seed) == (0.1, 3)
    for name in ("prepare", "evaluate", "audit-data"):
        with pytest.raises(UserError, match=r"^real_limit: no such key of ferbench"):
            for_hydra(name, ["real_limit=0.1"])


def test_a_teacher_without_weight_counts_for_nothing() -> None:
    plain = identity(data_of("data=synthetic"))
    assert plain == identity(
        data_of("data=synthetic", "data.teacher_labels=null", "data.draw_seed=0")
    )
    assert plain == identity(data_of("data=synthetic", "data.teacher=x", "data.teacher_weight=0"))
    assert "teacher" not in plain
    taught = identity(data_of("data=synthetic", "data.teacher=x", "data.teacher_temperature=2"))
    assert taught["teacher"] == {"weight": 1.0, "temperature": 2.0}
    assert taught == plain | {"teacher": taught["teacher"]}


def test_paths_do_not_count() -> None:
    words = ["data=synthetic", "data.synthetic=here", "data.folder=there", "data.teacher=x"]
    other = ["data=synthetic", "data.synthetic=away", "data.folder=else", "data.teacher=auto"]
    assert identity(data_of(*words)) == identity(data_of(*other))
