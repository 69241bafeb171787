"""The command line: command table, composition, the one place where user errors are printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ferbench import stopping
from ferbench.cli import arguments as overrides
from ferbench.cli import completion, help, next_steps
from ferbench.cli.composition import mistakes
from ferbench.cli.error_lines import NOBODY_READS, USER_MISTAKE, one_line, report
from ferbench.cli.jobs import in_sweep, run_job
from ferbench.cli.statuses import Statuses
from ferbench.cli.streams import print_substitutes
from ferbench.config.store import register
from ferbench.config.yaml_files import CONF, file_name
from ferbench.errors import UserError
from ferbench.version import __version__

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main() -> None:
    """Entry point of `ferbench`: do what the command line says and exit with its status."""
    print_substitutes()
    _check_system()
    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
    stopping.end_on_sigterm()
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
        print(f"ferbench {__version__}")
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
    multirun = "--multirun" in arguments
    wrong = mistakes(command, arguments) if multirun else []
    if wrong:
        return max(report(error, full_error) for error in wrong)
    with Statuses.of_this_command() as statuses:
        try:
            with _raising_hydra():
                compose(_Job(command, statuses, full_error))()
            if "--multirun" in arguments:
                print(next_steps.line_of_sweep(command, statuses.count()))
        except (HydraException, OmegaConfBaseException, YAMLError) as error:
            raise UserError(one_line(error, command)) from error
        except KeyboardInterrupt as stop:
            if multirun:
                stopping.say_goes_on(stop)
            raise
        if any(word.startswith("--cfg=") for word in arguments):
            return _say_what_is_refused(command, arguments, full_error)
        return statuses.worst()


def _say_what_is_refused(command: str, arguments: list[str], full_error: bool) -> int:
    """Beside a printed config, what its run would refuse; ??? in it needs no word."""
    from omegaconf.errors import MissingMandatoryValue

    sys.stdout.flush()
    wrong = mistakes(command, arguments)
    wrong = [one for one in wrong if not isinstance(one.__cause__, MissingMandatoryValue)]
    return max([report(error, full_error) for error in wrong], default=0)


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
        if settings.mode != RunMode.MULTIRUN:
            self._run(cfg, given)
            return
        with in_sweep(self.statuses.owner):
            print(f"[{settings.job.num + 1}] {' '.join(given)}", flush=True)
            self._run(cfg, given, last=False)

    def _run(self, cfg: DictConfig, given: list[str], *, last: bool = True) -> None:
        try:
            run_job(self.command, cfg, given, self.full_error, last=last)
        except Exception as error:
            status = report(error, self.full_error)
            if status == NOBODY_READS:
                raise SystemExit(status) from None
            self.statuses.add(status)
