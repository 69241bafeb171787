"""The schema: frozen, without numbers of its own, and the way back from a run's config.yaml."""

from dataclasses import MISSING, FrozenInstanceError, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml
from omegaconf import OmegaConf

import made
from ferbench.config.commands import COMMANDS, Classify, keys_of
from ferbench.config.sections import ModelConfig
from ferbench.config.store import read_config, writable
from ferbench.errors import UserError


def sections(schema: type) -> list[type]:
    """The dataclass and those inside it."""
    inner = [kind for kind in get_type_hints(schema).values() if is_dataclass(kind)]
    return [schema, *(one for section in inner for one in sections(section))]


@pytest.fixture
def job() -> Classify:
    composed = made.job("classify", "train=long", "model=vgg")
    assert isinstance(composed, Classify)
    return composed


@pytest.mark.parametrize("schema", COMMANDS.values(), ids=COMMANDS)
def test_values_stand_in_yaml_only(schema: type) -> None:
    for section in sections(schema):
        for field in fields(section):
            assert field.default is MISSING, field
            assert field.default_factory is MISSING, field


def test_jobs_are_frozen_down_to_the_last_section(job: Classify) -> None:
    for section in (job, job.data, job.model, job.train, job.train.augment, job.eval, job.logger):
        with pytest.raises(FrozenInstanceError):
            section.name = "x"  # type: ignore[attr-defined]


def test_keys_have_dotted_names_and_types() -> None:
    keys = keys_of(Classify)
    assert keys["seed"] is int
    assert keys["train.augment.flip"] is float
    assert keys["model.width"] == int | None
    assert len(keys) == sum(len(fields(section)) for section in sections(Classify))


@pytest.mark.parametrize("schema", COMMANDS.values(), ids=COMMANDS)
def test_yaml_may_fill_the_typed_node(schema: type) -> None:
    """OmegaConf makes nodes of frozen dataclasses read-only; these take values, and check them."""
    node = writable(schema)
    OmegaConf.update(node, "outputs", "x")
    assert node.outputs == "x"
    assert all(
        OmegaConf.is_missing(node, name)
        for name, kind in get_type_hints(schema).items()
        if name != "outputs" and not is_dataclass(kind)
    )


def test_a_stored_config_reads_back_the_same(job: Classify, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(asdict(job), sort_keys=False))
    assert read_config(Classify, path) == job


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": "many"}, "not a config of this version"),
        ({"gone": 1}, "not a config of this version .*gone"),
        ({"train": {"epochs": 0}}, "train.epochs=0: expected at least 1"),
    ],
)
def test_a_stored_config_is_checked(
    job: Classify, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    stored = OmegaConf.merge(OmegaConf.create(asdict(job)), change)
    path = tmp_path / "config.yaml"
    OmegaConf.save(stored, path)
    with pytest.raises(UserError, match=reason):
        read_config(Classify, path)


def test_a_section_is_read_without_the_others(job: Classify, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(asdict(job) | {"train": {"gone": 1}}, sort_keys=False))
    assert read_config(ModelConfig, path, section="model") == job.model
    with pytest.raises(UserError, match=r"not a config of this version .*gone"):
        read_config(Classify, path)


@pytest.mark.parametrize("key", ["seed", "model.stem", "data.mix.how", "train.augment.erase"])
def test_a_config_that_lacks_a_key_is_refused(job: Classify, tmp_path: Path, key: str) -> None:
    stored = OmegaConf.create(asdict(job))
    section, _, name = key.rpartition(".")
    del (OmegaConf.select(stored, section) if section else stored)[name]
    path = tmp_path / "config.yaml"
    OmegaConf.save(stored, path)
    with pytest.raises(UserError, match=f"not a config of this version .*{name}"):
        read_config(Classify, path)


def test_a_config_without_a_section_is_refused(job: Classify, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in asdict(job).items() if k != "train"}))
    with pytest.raises(UserError, match="not a config of this version"):
        read_config(Classify, path)


@pytest.mark.parametrize(
    "text", ["{", "- 1\n", "a: 'b", "seed: !!python/object/apply:os.getcwd []\n", ""]
)
def test_a_damaged_config_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"config\.yaml: damaged") as refused:
        read_config(Classify, path)
    assert "\n" not in str(refused.value)
    path.write_bytes(b"seed: \xff")
    with pytest.raises(UserError, match=r"config\.yaml: damaged"):
        read_config(Classify, path)
    with pytest.raises(UserError, match="no such file"):
        read_config(Classify, tmp_path / "nothing.yaml")
