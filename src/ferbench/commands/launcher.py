"""How a command runs other commands: what the command line hands to those that do."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

Command = Callable[[], Any]


class Launcher(Protocol):
    """Runs other commands, each from the words that a user would type."""

    def check(self, command: str, words: Sequence[str]) -> Any:
        """The config that words stand for; UserError if the command would refuse them."""

    def call(self, command: str, words: Sequence[str]) -> Any:
        """Show the command line and run it here; what the command returns, mostly its folder."""

    def run(
        self, command: str, jobs: Sequence[Sequence[str]], around: Callable[[int, Command], Any]
    ) -> list[Any]:
        """Call around(i, run) for every job, maybe in other processes."""

    def report(self, error: Exception) -> None:
        """Print an error as the command line does."""


def words_of(values: Mapping[str, Any]) -> list[str]:
    """`key=value` of every key that has a value."""
    return [f"{key}={value}" for key, value in values.items() if value is not None]


def command_line(command: str, words: Sequence[str]) -> str:
    """What a user would type into a shell."""
    return shlex.join(["ferbench", command, *words])
