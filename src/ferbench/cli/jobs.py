"""Composed configs as jobs: one command from its config, and many by one of Hydra's launchers."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferbench.cli import arguments, machine_trouble, next_steps
from ferbench.cli.error_lines import one_line, report
from ferbench.cli.streams import print_substitutes
from ferbench.config.commands import COMMANDS, LENGTHS
from ferbench.config.store import read_config, register
from ferbench.config.yaml_files import CONF, file_name
from ferbench.errors import UserError, is_network

if TYPE_CHECKING:
    from omegaconf import DictConfig

TAKES_LAUNCHER = ("study", "curate", "demo")  # commands that run others


def run_job(
    command: str, cfg: DictConfig, given: Sequence[str], full_error: bool, *, last: bool = False
) -> Any:
    """Check the config and run the command; what it returns.

    last: whether it is all that was typed, so that it ends with what to do next.
    given: the words of the command line, which a resumed run must not contradict.
    full_error: show the traceback of errors that a command that runs others goes on after.
    Raises UserError for a mistake and for the machine's trouble.
    """
    try:
        job, returned = _run(command, cfg, given, full_error)
    except (OSError, MemoryError, ImportError, RuntimeError) as error:
        text = machine_trouble.sentence(error, command, cfg.get("outputs"))
        if text is None:
            raise
        raise UserError(text) from error
    line = next_steps.line(command, job, returned) if last else None
    if line is not None:
        print(line)
    return returned


def _run(command: str, cfg: DictConfig, given: Sequence[str], full_error: bool) -> tuple[Any, Any]:
    """The checked config, and what the command returned."""
    job = _checked(command, cfg)
    resume = getattr(job, "resume", None)
    if resume and not is_network(resume):
        job = _resumed(COMMANDS[command], job, given)
    module = import_module(f"ferbench.commands.{file_name(command)}")
    if command in TAKES_LAUNCHER:
        return job, module.run(job, Launcher.of_this_job(full_error))
    return job, module.run(job)


def job_of(command: str, words: Sequence[str]) -> Any:
    """The checked config of a command, from the words that a user would type.

    Raises UserError for words that the command would refuse.
    """
    return _checked(command, _composed(command, words))


def _checked(command: str, cfg: DictConfig) -> Any:
    """The config as the command's frozen dataclass, whose checks have run."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        job = OmegaConf.to_object(cfg)
    except OmegaConfBaseException as error:
        raise UserError(one_line(error, command)) from error
    assert isinstance(job, COMMANDS[command])
    return job


def _resumed(schema: type, job: Any, given: Sequence[str]) -> Any:
    """The stopped run's own config: `resume=` goes on with it; it can only be made longer."""
    keys = {text.partition("=")[0] for text in given}
    longer = {key: getattr(job, key) for key in keys & set(LENGTHS)}
    others = [text for text in given if text.partition("=")[0] not in ("resume", *LENGTHS)]
    if others:
        raise UserError(
            f"resume={job.resume}: goes on with the run's own config; leave out {', '.join(others)}"
        )
    config = Path(job.resume) / "config.yaml"
    if not config.is_file():
        raise UserError(f"resume={job.resume}: no {config.name} in it; expected a run's folder")
    return replace(read_config(schema, config), resume=str(config.parent), **longer)


def join_sweep() -> None:
    """What a job does first that others run beside: its share of the cores, and its lines."""
    _share_cores()
    print_substitutes()
    _keep_lines_whole()


def _share_cores() -> None:
    """Give this process its share of the cores, if the launcher runs several jobs at once.

    Two jobs that both take all cores are slower than one after the other.
    """
    from hydra.core.hydra_config import HydraConfig

    at_once = HydraConfig.get().launcher.get("n_jobs", 1)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    together = (cores or 1) if at_once < 0 else at_once
    if together > 1:
        import torch

        torch.set_num_threads(max(1, (cores or 1) // together))


def _keep_lines_whole() -> None:
    """Let each line leave this process in one write, so that lines of several do not mix.

    Python writes a line and its end apart where PYTHONUNBUFFERED is set.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=False)


@dataclass(frozen=True)
class Launcher:
    """Runs jobs of other commands as a sweep runs its own: by the launcher that was chosen.

    words: what chooses the launcher and its settings again, as Hydra overrides.
    """

    words: tuple[str, ...]
    full_error: bool

    @staticmethod
    def of_this_job(full_error: bool) -> Launcher:
        """The launcher of the command that Hydra is running."""
        from hydra.core.hydra_config import HydraConfig

        given = HydraConfig.get()
        chosen = given.runtime.choices.get("launcher", "local")
        own = [word for word in given.overrides.hydra if word.startswith("hydra.launcher.")]
        return Launcher((f"launcher={chosen}", *own), full_error)

    def report(self, error: Exception) -> None:
        """Print an error as the command line does."""
        report(error, self.full_error)

    def check(self, command: str, words: Sequence[str]) -> Any:
        """The config of words, before anything runs; UserError if the command would refuse them."""
        return job_of(command, words)

    def call(self, command: str, words: Sequence[str]) -> Any:
        """Show the command line and run it in this process; what the command returns."""
        print(f"\n$ ferbench {shlex.join([command, *words])}", flush=True)
        given = arguments.for_hydra(command, list(words))
        return run_job(command, _composed(command, words), given, self.full_error)

    def run(
        self, command: str, jobs: Sequence[Sequence[str]], around: Callable[[int, Run], Any]
    ) -> list[Any]:
        """Run jobs of one command, each by its words, and return what `around` made of each.

        around(i, run): called for job i in the process that runs it, which may be another one;
        `run()` is the command, and may raise. It must be picklable.
        """
        from hydra.core.hydra_config import HydraConfig
        from hydra.core.plugins import Plugins
        from hydra.core.singleton import Singleton
        from hydra.experimental.callback import Callback
        from hydra.types import HydraContext

        loader = _loader()
        master = loader.load_configuration(file_name(command), list(self.words), _mode("MULTIRUN"))
        before = Singleton.get_state()
        try:
            HydraConfig.instance().set_config(master)
            nothing: Any = Callback()  # conf/ has no callbacks
            context = HydraContext(config_loader=loader, callbacks=nothing)
            launcher = Plugins.instance().instantiate_launcher(
                hydra_context=context, task_function=_Job(command, around), config=master
            )
            given = [arguments.for_hydra(command, list(words)) for words in jobs]
            returned = launcher.launch([[*self.words, *words] for words in given], 0)
            return [job.return_value for job in returned]
        finally:
            Singleton.set_state(before)


Run = Callable[[], Any]


@dataclass(frozen=True)
class _Job:
    """What Hydra calls with the config of one job."""

    command: str
    around: Callable[[int, Run], Any]

    def __call__(self, cfg: DictConfig) -> Any:
        from hydra.core.hydra_config import HydraConfig

        join_sweep()
        settings = HydraConfig.get()
        given = list(settings.overrides.task)
        return self.around(settings.job.num, lambda: run_job(self.command, cfg, given, False))


def _composed(command: str, words: Sequence[str]) -> DictConfig:
    """The config of a command without Hydra's own part; UserError for words that it refuses."""
    from hydra.errors import HydraException
    from omegaconf import open_dict, read_write
    from omegaconf.errors import OmegaConfBaseException

    given = arguments.for_hydra(command, list(words))
    try:
        cfg = _loader().load_configuration(file_name(command), given, _mode("RUN"))
        with read_write(cfg), open_dict(cfg):
            del cfg["hydra"]
        return cfg
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(one_line(error, command)) from error


def _loader() -> Any:
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


def _mode(name: str) -> Any:
    from hydra.types import RunMode

    return RunMode[name]
