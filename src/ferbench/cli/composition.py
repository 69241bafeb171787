"""Configs from the words of a command line: composed by Hydra, checked by their dataclasses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ferbench.cli import arguments as words_for_hydra
from ferbench.cli.error_lines import one_line
from ferbench.config.commands import COMMANDS
from ferbench.config.store import register
from ferbench.config.yaml_files import CONF, file_name
from ferbench.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def job_of(command: str, words: Sequence[str]) -> Any:
    """The checked config of a command, from the words that a user would type.

    Raises UserError for words that the command would refuse.
    """
    return checked(command, composed(command, words))


def mistakes(command: str, arguments: Sequence[str]) -> list[UserError]:
    """What the command would refuse of its arguments, as `arguments.for_hydra` gives them.

    Of a sweep every run is looked at; a mistake of several counts once.
    """
    found: dict[str, UserError] = {}
    for words in _cells(arguments):
        try:
            checked(command, _composed_of(command, words))
        except UserError as error:
            found.setdefault(str(error), error)
    return list(found.values())


def _cells(arguments: Sequence[str]) -> Iterator[list[str]]:
    """The overrides of every run of a sweep, in the order of Hydra's own sweeper."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    words = [word for word in arguments if not word.startswith("--")]
    parsed = OverridesParser.create(config_loader=config_loader()).parse_overrides(words)
    values = [
        [f"{one.get_key_element()}={value}" for value in one.sweep_string_iterator()]
        if one.is_sweep_override()
        else [str(one.input_line)]
        for one in parsed
    ]
    yield from map(list, itertools.product(*values))


def checked(command: str, cfg: DictConfig) -> Any:
    """The config as the command's frozen dataclass, whose checks have run."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        job = OmegaConf.to_object(cfg)
    except OmegaConfBaseException as error:
        raise UserError(one_line(error, command)) from error
    assert isinstance(job, COMMANDS[command])
    return job


def composed(command: str, words: Sequence[str]) -> DictConfig:
    """The config of a command without Hydra's own part; UserError for words that it refuses."""
    return _composed_of(command, words_for_hydra.for_hydra(command, list(words)))


def _composed_of(command: str, given: list[str]) -> DictConfig:
    """As `composed`, of Hydra's overrides."""
    from hydra.errors import HydraException
    from omegaconf import open_dict, read_write
    from omegaconf.errors import OmegaConfBaseException

    try:
        cfg = config_loader().load_configuration(file_name(command), given, run_mode("RUN"))
        with read_write(cfg), open_dict(cfg):
            del cfg["hydra"]
        return cfg
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(one_line(error, command)) from error


def config_loader() -> Any:
    """What composes configs of conf/: that of the command which Hydra is running, or a new one."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    running = GlobalHydra.instance()
    if running.is_initialized() and _reads_conf(running.config_loader()):
        return running.config_loader()
    register()
    of_another_program, running.hydra = running.hydra, None
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.instance().hydra = of_another_program


def _reads_conf(loader: Any) -> bool:
    """Whether a config loader is one of ferbench, and not of a program that uses ferbench."""
    return any(source.path == str(CONF) for source in loader.get_sources())


def run_mode(name: str) -> Any:
    """Hydra's RUN or MULTIRUN."""
    from hydra.types import RunMode

    return RunMode[name]
