"""The command line: command table, composition, the one place where user errors are printed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from ferbench.cli import arguments as overrides
from ferbench.cli import completion, help, next_steps
from ferbench.cli.error_lines import NOBODY_READS, USER_MISTAKE, one_line, report
from ferbench.cli.jobs import join_sweep, run_job
from ferbench.cli.statuses import Statuses
from ferbench.cli.streams import print_substitutes
from ferbench.config.store import register
from ferbench.config.yaml_files import CONF, file_name
from ferbench.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main() -> None:
    """Entry point of `ferbench`: do what the command line says and exit with its status."""
    print_substitutes()
    _check_system()
    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
    signal.signal(signal.SIGTERM, partial(_terminate, os.getpid()))
    try:
        status = _main(sys.argv[1:], full_error)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        status = report(error, full_error)
    raise SystemExit(status)


def _check_system() -> None:
    """End in one line on Windows, which lacks the signals and file locks that runs rely on."""
    if os.name == "nt":
        print("ferbench: for Linux and macOS; on Windows it runs in WSL", file=sys.stderr)
        raise SystemExit(USER_MISTAKE)


def _main(arguments: list[str], full_error: bool) -> int:
    """Answer help, version and completion at once; else check the words and run the command."""
    command, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if command in ("-h", "--help", "help") and not rest:
        print(help.overview())
    elif command in ("-h", "--help", "help"):
        overrides.check_command(rest[0])
        print(help.command(rest[0]))
    elif "--version" in arguments or command == "-V":
        from importlib.metadata import version

        print(f"ferbench {version('ferbench')}")
    elif command == "--completion":
        print(completion.script(" ".join(rest)))
    elif command == "--complete":
        print("\n".join(completion.candidates(" ".join(rest))))
    else:
        overrides.check_command(command)
        return _command(command, rest, full_error)
    return 0


def _command(command: str, rest: list[str], full_error: bool) -> int:
    if "-h" in rest or "--help" in rest:
        words = [word for word in rest if word not in ("-h", "--help")]
        print(help.group(command, words) if words else help.command(command))
        return 0
    return _compose_and_run(command, overrides.for_hydra(command, rest), full_error)


# --- composition ---------------------------------------------------------------------------------


def _compose_and_run(command: str, arguments: list[str], full_error: bool) -> int:
    """Hand the command to Hydra, which composes the config and calls the job, or every job."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    from ferbench.cli import own_files

    register()
    own_files.register()
    sys.argv = ["ferbench", *arguments]
    compose = hydra.main(version_base="1.3", config_path=str(CONF), config_name=file_name(command))
    with Statuses.of_this_command() as statuses:
        try:
            with _raising_hydra():
                compose(_Job(command, statuses, full_error))()
            if "--multirun" in arguments:
                print(next_steps.line_of_sweep(command, statuses.count()))
        except (HydraException, OmegaConfBaseException, YAMLError) as error:
            raise UserError(one_line(error, command)) from error
        return statuses.worst()


@contextmanager
def _raising_hydra() -> Iterator[None]:
    """Hydra raises its errors, instead of printing them and exiting."""
    before = os.environ.get("HYDRA_FULL_ERROR", "0")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        os.environ["HYDRA_FULL_ERROR"] = before


@dataclass(frozen=True)
class _Job:
    """What Hydra calls with a composed config: one job of a sweep, or the only one.

    Hydra adds lines of its own to an error that reaches it, so errors end here: they are printed,
    and the other jobs of a sweep go on.
    """

    command: str
    statuses: Statuses
    full_error: bool

    def __call__(self, cfg: DictConfig) -> None:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode
        from omegaconf import OmegaConf

        settings = HydraConfig.get()
        given: Any = OmegaConf.to_container(settings.overrides.task, resolve=False)
        sweep = settings.mode == RunMode.MULTIRUN
        try:
            if sweep:
                join_sweep()
                print(f"[{settings.job.num + 1}] {' '.join(given)}", flush=True)
            run_job(self.command, cfg, given, self.full_error, last=not sweep)
        except Exception as error:
            status = report(error, self.full_error)
            if status == NOBODY_READS:
                raise SystemExit(status) from None
            self.statuses.add(status)


# --- signals --------------------------------------------------------------------------------------


class _Terminated(KeyboardInterrupt):
    exit_status = 128 + signal.SIGTERM


def _terminate(main_process: int, number: int, frame: FrameType | None) -> None:
    """SIGTERM ends the program like Ctrl-C does, so that locks and half files are cleaned up."""
    if os.getpid() != main_process:  # forked from it: as if there were no handler
        os._exit(128 + number)
    raise _Terminated("terminated")
