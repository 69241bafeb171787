"""Every config file composes and builds the frozen objects that the commands take."""

from collections.abc import Iterator
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from ferbench.config import yaml_files
from ferbench.config.commands import COMMANDS, keys_of
from ferbench.config.store import register
from ferbench.config.yaml_files import CONF, groups_of, keys_of_command, keys_of_option, options_for

MANDATORY = {"prepare": ["source=x"], "evaluate": ["run=x"], "study": ["name=gap"]}
OPTIONS = [
    (command, group, option)
    for command in COMMANDS
    for group in groups_of(command)
    for option in options_for(command, group)
]


@pytest.fixture(scope="module", autouse=True)
def _hydra() -> Iterator[None]:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def job_of(command: str, *overrides: str) -> Any:
    given = [*MANDATORY.get(command, []), *overrides]
    return OmegaConf.to_object(compose(yaml_files.file_name(command), given))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_composes_with_its_defaults(command: str) -> None:
    assert type(job_of(command)) is COMMANDS[command]


@pytest.mark.parametrize(("command", "group", "option"), OPTIONS)
def test_every_option_composes(command: str, group: str, option: str) -> None:
    """Where a section has a name, it is the option's: a file that was copied and not changed."""
    job = job_of(command, f"{group}={option}")
    assert type(job) is COMMANDS[command]
    section = getattr(job, group, None)
    if hasattr(section, "name"):
        assert section.name == option
    if group == "experiment":
        assert job.name == option


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_is_used_and_says_what_it_is(path: Any) -> None:
    group = path.parent.name
    shared = path in yaml_files.shared_files()
    primary = path in map(yaml_files.primary, COMMANDS)
    study = path.parent == CONF / "study"
    assert shared or primary or study or any(group in groups_of(name) for name in COMMANDS)
    assert yaml_files.summary(path).endswith(".")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_reads_the_values_that_hydra_composes(command: str) -> None:
    """What the help shows without Hydra is every key of the command, with its value."""
    cfg = compose(yaml_files.file_name(command))
    shown = keys_of_command(command)
    for group, option in groups_of(command).items():
        shown |= {} if option == "null" else keys_of_option(group, option)
    sections = {key.rpartition(".")[0] for key in keys_of(COMMANDS[command])} - {""}
    assert set(shown) == set(keys_of(COMMANDS[command])) - sections
    for key, (value, _) in shown.items():
        if value == "???":
            assert OmegaConf.is_missing(cfg, key)
        elif "${" not in value:
            assert OmegaConf.select(cfg, key) == OmegaConf.create(f"x: {value}").x, key


@pytest.mark.parametrize(
    ("group", "option"), sorted({(group, option) for _, group, option in OPTIONS})
)
def test_help_reads_what_an_option_sets(group: str, option: str) -> None:
    """Of an option that takes from another one, and of one that changes several sections, too."""
    commands = [name for name in COMMANDS if (name, group, option) in OPTIONS]
    command = "classify" if "classify" in commands else commands[0]
    cfg = compose(yaml_files.file_name(command), [f"{group}={option}"], return_hydra_config=True)
    for key, (value, _) in keys_of_option(group, option).items():
        if "${" not in value:
            assert OmegaConf.select(cfg, key) == OmegaConf.create(f"x: {value}").x, key


def test_an_experiment_beats_the_primary_file() -> None:
    """Its name stands in the primary file too, as null."""
    job = job_of("classify", "experiment=resnet50_standard_stem")
    assert (job.name, job.model.name, job.model.stem) == (
        "resnet50_standard_stem",
        "resnet50",
        "standard",
    )


def test_the_command_line_beats_the_experiment() -> None:
    words = ["experiment=resnet50_standard_stem", "model=vgg", "name=mine", "model.input_px=48"]
    job = job_of("classify", *words, "model.stem=small")
    assert (job.name, job.model.name, job.model.input_px) == ("mine", "vgg", 48)


def test_hydra_writes_nothing_of_its_own_into_runs() -> None:
    hydra = compose("classify", return_hydra_config=True).hydra
    assert hydra.output_subdir is None
    assert hydra.run.dir == "."
    assert hydra.job.chdir is False


@pytest.mark.parametrize(("option", "target"), [("local", "Basic"), ("joblib", "Joblib")])
def test_the_launcher_group_chooses_hydra_s_launcher(option: str, target: str) -> None:
    cfg = compose("classify", [f"launcher={option}"], return_hydra_config=True)
    assert f"{target}Launcher" in cfg.hydra.launcher._target_
