"""Arguments as Hydra gets them: spellings that mean the same, and text taken as it stands."""

import re
from dataclasses import dataclass, is_dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from ferbench.cli.arguments import for_hydra
from ferbench.config.commands import COMMANDS, SHORT_KEYS, keys_of, texts_of
from ferbench.config.store import register
from ferbench.config.yaml_files import CONF, groups_of
from ferbench.errors import UserError, at_least, between, nearest, one_of


@dataclass
class Section:
    """What a short spelling may hide: a section is never given a value whole."""


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
    """`mix=add` is `data.mix.how=add` where the command has that key, in a sweep too."""
    words = ["mix=add", "+synthetic_per_real=0.5", "data.real_limit=0.1"]
    want = ["data.mix.how=add", "data.mix.synthetic_per_real=0.5", "data.real_limit=0.1"]
    assert for_hydra("classify", words) == want
    sweep = for_hydra("classify", ["-m", "mix=add,augment", "real_fraction=0,0.3"])
    assert sweep == ["--multirun", "data.mix.how=add,augment", "data.mix.real_fraction=0,0.3"]
    with pytest.raises(UserError, match=r"^mix: no such key of ferbench table"):
        for_hydra("table", ["mix=add"])


@pytest.mark.parametrize("short", SHORT_KEYS)
def test_a_short_key_is_a_key_of_one_section_and_no_key_itself(short: str) -> None:
    commands = [keys_of(schema) for schema in COMMANDS.values()]
    assert any(SHORT_KEYS[short] in keys for keys in commands)
    assert all(is_dataclass(keys.get(short, Section)) for keys in commands)


SPELLINGS = {  # as README, docs, conf and earlier experiments write them, with data=mixed
    "mix=add": "add",
    "data.mix=add": "add",
    "real_fraction=0.3": 0.3,
    "data.real_fraction=0": 0.0,
    "mix=add synthetic_per_real=1": 1.0,
    "mix=augment data.synthetic_per_real=98": 98.0,
    "real_limit=0.1": 0.1,
    "data.real_limit=0.01": 0.01,
    "data.real_weight=0.5": 0.5,
    "data=synthetic synthetic_limit=28709": 28709,
    "data=synthetic data.synthetic_limit=700": 700,
    "data.synthetic=outputs/synth/fer48,long": "outputs/synth/fer48,long",
    "data.synthetic_balance=natural": "natural",
    "data.synthetic_online=true": True,
    "data.normalize=source": "source",
    "data.synthetic_online=true data.generator=fer48-long": "fer48-long",
    "data.teacher=auto": "auto",
    "data.teacher_weight=0.5": 0.5,
    "data.teacher_temperature=2": 2.0,
    "data.teacher_labels=all": "all",
    "data.toy_train=700": 700,
    "data.toy_public=70": 70,
    "data.toy_private=70": 70,
    "data.toy_seed=3": 3,
    "data.draw_seed=3": 3,
    "data.base=toy": "toy",
    "data.folder=some/where": "some/where",
}


@pytest.mark.parametrize("words", SPELLINGS)
def test_every_spelling_composes_to_its_value(words: str) -> None:
    short = words.split()[-1].partition("=")[0]
    full = SHORT_KEYS.get(short, short)
    given = ["data=mixed", *words.split()]
    job: Any = OmegaConf.to_object(composed("classify", *given))
    assert attrgetter(full)(job) == SPELLINGS[words]
    swept = for_hydra("classify", ["-m", words.split()[-1].replace(",", "-")])
    assert swept[1].startswith(f"{full}=")


def test_no_spelling_of_data_s_keys_is_forgotten() -> None:
    """Every word data.KEY=VALUE of README, docs and conf is a key or a short spelling of one."""
    root = Path(__file__).parents[2]
    files = [root / "README.md", *root.glob("docs/*.md"), *CONF.rglob("*.yaml")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    words = set(re.findall(r"\b(data\.[a-z_.]+)=", text))
    assert len(words) > 8
    known = keys_of(COMMANDS["classify"])
    assert {word for word in words if word not in known and word not in SHORT_KEYS} == set()
    tried = {words.split()[-1].partition("=")[0] for words in SPELLINGS}
    assert {key for key in SHORT_KEYS if SHORT_KEYS[key].startswith("data.")} <= tried


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


@pytest.mark.parametrize("command", COMMANDS)
def test_keys_that_are_taken_as_typed_are_text(command: str) -> None:
    kinds = keys_of(COMMANDS[command])
    texts = texts_of(COMMANDS[command])
    assert "outputs" in texts and {kinds[key] for key in texts} <= {str, str | None}


def test_paths_in_sections_are_taken_as_typed() -> None:
    assert {"start", "data.folder", "data.teacher.run"} <= texts_of(COMMANDS["classify"])
    assert "gan.path" in texts_of(COMMANDS["audit"])


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
