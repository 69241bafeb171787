"""Arguments as Hydra gets them: spellings that mean the same, and text taken as it stands."""

from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from ferbench.cli.arguments import for_hydra
from ferbench.config.commands import COMMANDS, LITERAL, SHORT_KEYS, keys_of
from ferbench.config.store import register
from ferbench.config.yaml_files import CONF, groups_of
from ferbench.errors import UserError, at_least, between, nearest, one_of

TEXTS = [
    "a b",
    "archive (1).zip",
    "a,b",
    "a=b",
    "[x]",
    "{x: 1}",
    "it's",
    'say "so"',
    "back\\slash",
    "end\\",
    "'",
    "~/x",
    "007",
    "1e3",
    "true",
    "été",
    "a:b",
    "#1",
    "x$y",
    "range(3)",
    " ",
]


def composed(command: str, *arguments: str) -> Any:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(command, for_hydra(command, list(arguments)))


@pytest.mark.parametrize("key", ["seed=64", "train.epochs=64", "model=vgg", "train.augment.flip=0"])
@pytest.mark.parametrize("sign", ["+", "++"])
def test_a_plus_means_nothing(key: str, sign: str) -> None:
    """`key=value` and `+key=value` are the same, because every key exists."""
    assert for_hydra("classify", [sign + key]) == [key]


def test_a_plus_means_nothing_in_a_sweep() -> None:
    want = ["--multirun", "seed=32,64", "model=cnn,vgg"]
    assert for_hydra("classify", ["-m", "+seed=32,64", "++model=cnn,vgg"]) == want


def test_every_key_and_group_takes_a_plus() -> None:
    for command, schema in COMMANDS.items():
        for key in (*keys_of(schema), *groups_of(command)):
            with pytest.raises(UserError, match=f"{key}: a value is needed"):
                for_hydra(command, [f"+{key}"])


def test_some_keys_may_be_written_without_their_section() -> None:
    """`mix=add` is `data.mix=add` where the command has that key, in a sweep too."""
    words = ["mix=add", "+synthetic_per_real=0.5", "data.real_limit=0.1"]
    want = ["data.mix=add", "data.synthetic_per_real=0.5", "data.real_limit=0.1"]
    assert for_hydra("classify", words) == want
    sweep = for_hydra("classify", ["-m", "mix=add,augment", "real_fraction=0,0.3"])
    assert sweep == ["--multirun", "data.mix=add,augment", "data.real_fraction=0,0.3"]
    with pytest.raises(UserError, match=r"^mix: no such key of ferbench table"):
        for_hydra("table", ["mix=add"])


@pytest.mark.parametrize("short", SHORT_KEYS)
def test_a_short_key_is_a_key_of_one_section_and_no_key_itself(short: str) -> None:
    assert any(SHORT_KEYS[short] in keys_of(schema) for schema in COMMANDS.values())
    assert not any(short in keys_of(schema) for schema in COMMANDS.values())


def test_hydra_s_own_keys_keep_their_plus() -> None:
    words = ["+hydra.job.env_set.A=1", "hydra/launcher=joblib", "~hydra.callbacks"]
    assert for_hydra("classify", words) == words


def test_flags_come_first_with_their_values() -> None:
    """Hydra's own parser takes no overrides on both sides of a flag."""
    words = ["seed=1", "-c", "job", "model=vgg", "-p", "model", "--resolve", "force=true"]
    want = ["--cfg=job", "--package=model", "--resolve", "seed=1", "model=vgg", "force=true"]
    assert for_hydra("classify", words) == want


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["--rebuild"], ["rebuild=true"]),
        (["--rebuild=false", "--failed"], ["rebuild=false", "failed=true"]),
    ],
)
def test_a_flag_of_a_boolean_key(words: list[str], want: list[str]) -> None:
    assert for_hydra("table", words) == want


@pytest.mark.parametrize("text", TEXTS)
def test_paths_and_text_are_taken_as_they_stand(text: str) -> None:
    assert composed("prepare", f"source={text}").source == text
    assert composed("table", f"where={text}", "+columns=a,b").where == text


def test_null_quotes_and_references_keep_their_meaning() -> None:
    assert composed("table", "where=null").where is None
    assert composed("prepare", "source='a b'").source == "a b"
    assert composed("classify", "outputs=o", "data.folder=${outputs}/x").data.folder == "o/x"


def test_text_with_commas_is_a_sweep_with_m() -> None:
    assert for_hydra("evaluate", ["-m", "run=a,b"]) == ["--multirun", "run=a,b"]


def test_literal_keys_are_text_of_some_command() -> None:
    kinds = {key: kind for schema in COMMANDS.values() for key, kind in keys_of(schema).items()}
    assert {kinds[key] for key in LITERAL} <= {str, str | None}


@pytest.mark.parametrize(
    ("word", "options", "want"),
    [
        ("vg", ["vgg", "cnn"], "did you mean vgg?"),
        ("lr", ["train.peak_lr", "train.epochs"], "did you mean train.peak_lr?"),
        ("epoch", ["train.epochs", "seed"], "did you mean train.epochs?"),
        ("zzz", ["b", "a", "b"], "expected one of a, b"),
        ("zzz", map(str, range(100)), "--help lists what there is"),
    ],
)
def test_nearest(word: str, options: list[str], want: str) -> None:
    assert nearest(word, options) == want


def test_checks_accept_their_bounds_and_refuse_the_rest() -> None:
    one_of("k", "a", ("a", "b"))
    at_least("k", 2, 2)
    between("k", 0, 0, 1)
    between("k", 1, 0, 1)
    for check, arguments in [
        (one_of, ("k", "c", ("a", "b"))),
        (at_least, ("k", 1.9, 2)),
        (at_least, ("k", float("nan"), 2)),
        (at_least, ("k", float("inf"), 2)),
        (between, ("k", 1.1, 0, 1)),
        (between, ("k", -0.1, 0, 1)),
        (between, ("k", float("nan"), 0, 1)),
    ]:
        with pytest.raises(UserError, match=r"^k="):
            check(*arguments)  # type: ignore[operator]
