"""The command line: command table, composition, the one place where user errors are printed."""

from __future__ import annotations

import os
import sys
import traceback
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ferbench import cli_help, overrides
from ferbench.errors import UserError
from ferbench.schema import COMMANDS, read_config, register

if TYPE_CHECKING:
    from omegaconf import DictConfig

USER_MISTAKE, BUG = 2, 1
_MAIN_PROCESS = os.getpid()


def main() -> None:
    """Entry point of `ferbench`: answer help at once, else compose the config and run."""
    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        status = _main(sys.argv[1:])
    except (UserError, _Reported) as error:
        if full_error:
            raise
        _exit(error)
    except KeyboardInterrupt as error:
        if full_error:
            raise
        print(f"\nferbench: {str(error) or 'interrupted'}", file=sys.stderr)
        raise SystemExit(getattr(error, "exit_status", 130)) from None
    raise SystemExit(status)


def _main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(cli_help.overview())
        return 0
    if arguments[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"ferbench {version('ferbench')}")
        return 0
    command, rest = arguments[0], arguments[1:]
    overrides.check_command(command)
    if "-h" in rest or "--help" in rest:
        print(cli_help.command(command))
        return 0
    _compose_and_run(command, overrides.normalized(command, rest))
    return 0


def _compose_and_run(command: str, arguments: list[str]) -> None:
    """Hand the command to Hydra, which composes the config and calls `run_command` a job."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    register()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, instead of printing and exiting
    sys.argv = ["ferbench", *arguments]
    name = command.replace("-", "_")
    compose = hydra.main(version_base="1.3", config_path=str(cli_help.CONF), config_name=name)
    failures: list[Exception] = []
    try:
        compose(partial(run_command, command, failures))()
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(overrides.one_line(error)) from error
    if failures:
        raise failures[0]


def run_command(command: str, failures: list[Exception], cfg: DictConfig) -> None:
    """Check the config and run the command; one job of a sweep, or the only one.

    An error is put in `failures`, because Hydra adds lines of its own to one that is raised. In a
    sweep it is printed at once and the other jobs go on; a job in another process has to raise.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    settings = HydraConfig.get()
    sweeping = settings.mode == RunMode.MULTIRUN
    if sweeping:
        print(f"[{settings.job.num + 1}] {' '.join(settings.overrides.task)}", flush=True)
    try:
        _run_job(command, cfg, list(settings.overrides.task))
    except Exception as error:
        failures.append(_report(error) if sweeping else error)
        if os.getpid() != _MAIN_PROCESS:
            raise failures[-1] from None


def _report(error: Exception) -> _Reported:
    """Print an error of one job, a user's mistake as one line, a bug as its traceback."""
    if isinstance(error, UserError):
        print(f"ferbench: {error}", file=sys.stderr, flush=True)
        return _Reported(USER_MISTAKE)
    traceback.print_exception(error)
    return _Reported(BUG)


def _run_job(command: str, cfg: DictConfig, given: list[str]) -> None:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    schema = COMMANDS[command]
    try:
        job = OmegaConf.to_object(cfg)
    except OmegaConfBaseException as error:
        raise UserError(overrides.one_line(error)) from error
    if getattr(job, "resume", None):
        job = _resumed(schema, job, given)
    assert isinstance(job, schema)
    import_module(f"ferbench.commands.{command.replace('-', '_')}").run(job)


def _resumed(schema: type, job: Any, given: list[str]) -> Any:
    """The stopped run's own config: `resume=` goes on with it and takes no other setting."""
    others = [text for text in given if not text.startswith("resume=")]
    if others:
        raise UserError(
            f"resume={job.resume}: goes on with the run's own config; leave out {', '.join(others)}"
        )
    from dataclasses import replace

    folder = Path(job.resume)
    return replace(read_config(schema, folder / "config.yaml"), resume=str(folder))


class _Reported(Exception):
    """An error that was printed already; carries the exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _exit(error: UserError | _Reported) -> NoReturn:
    if isinstance(error, _Reported):
        raise SystemExit(error.status) from None
    print(f"ferbench: {error}", file=sys.stderr)
    raise SystemExit(USER_MISTAKE) from None
