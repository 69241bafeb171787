"""Numbers that cannot work: every numeric key of every command has bounds that say why."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

import pytest
from omegaconf.errors import OmegaConfBaseException

import made
from ferbench.config.commands import COMMANDS
from ferbench.errors import UserError

NEEDED = {"prepare": ["source=x"], "evaluate": ["run=x"], "study": ["name=seeds"]}
WITH = {  # what a key needs beside it to have a meaning
    "data.toy.": ["data=toy"],
    "data.synthetic.": ["data=synthetic"],
    "data.mix.real_fraction": ["data=mixed"],
    "data.mix.synthetic_per_real": ["data=mixed", "mix=add"],
    "data.mix.real_weight": ["data=mixed", "real_fraction=0.5"],
}
NEGATIVE = ("gan.ada_target",)  # -1 is its lower bound


def numbers_of(schema: Any, prefix: str, tried: set[Any]) -> Iterator[tuple[str, type]]:
    """Numeric keys with their types; a section that several commands have comes once."""
    for name, kind in get_type_hints(schema).items():
        if is_dataclass(kind):
            if kind not in tried:
                tried.add(kind)
                yield from numbers_of(kind, f"{prefix}{name}.", tried)
            continue
        kinds = get_args(kind) or (kind,)
        yield from ((prefix + name, one) for one in kinds if one in (int, float))


def every_number() -> list[tuple[str, str, type]]:
    tried: set[Any] = set()
    return [(c, *one) for c, schema in COMMANDS.items() for one in numbers_of(schema, "", tried)]


def job(command: str, key: str, value: str) -> Any:
    beside = [word for start, words in WITH.items() if key.startswith(start) for word in words]
    return made.job(command, *NEEDED.get(command, []), *beside, f"{key}={value}")


@pytest.mark.parametrize(("command", "key", "kind"), every_number())
def test_a_number_that_cannot_work_is_one_line(command: str, key: str, kind: type) -> None:
    """It names the key, and is found in the config, where nothing is allocated."""
    values = ["1000000000000"] + ["-1"] * (key not in NEGATIVE) + ["nan", "inf"] * (kind is float)
    for value in values:
        with pytest.raises(UserError, match=rf"^{key}=-?[\w.]+: ") as refused:
            job(command, key, value)
        assert "\n" not in str(refused.value)
        assert ": expected " in str(refused.value)


def test_the_keys_are_all_there() -> None:
    names = {key for _, key, _ in every_number()}
    assert {"seed", "batch", "n", "gan.z_dim", "train.peak_lr", "data.toy.train"} <= names
    assert len(names) > 90


def test_a_bound_says_why() -> None:
    with pytest.raises(
        UserError, match=r"^train\.peak_lr=1e\+30: expected at most 100: every step"
    ):
        made.job("classify", "train.peak_lr=1e30")
    with pytest.raises(UserError, match=r"^data\.toy\.train=2000000: expected at most 1,000,000: "):
        made.job("classify", "data=toy", "data.toy_train=2000000")
    assert made.job("classify", "train.peak_lr=100").train.peak_lr == 100


@pytest.mark.parametrize("key", ["train", "public", "private", "seed"])
def test_toy_faces_need_a_number(key: str) -> None:
    with pytest.raises((UserError, OmegaConfBaseException), match="toy faces need a number"):
        made.job("classify", "data=toy", f"data.toy_{key}=null")
