"""Command-line arguments checked before Hydra sees them, and Hydra's errors in one line."""

from __future__ import annotations

import re
from typing import Any

from ferbench import cli_help
from ferbench.checks import nearest
from ferbench.errors import UserError
from ferbench.schema import COMMANDS, keys_of

HYDRA_FLAGS = {"-m", "--multirun", "--resolve", "--hydra-help", "--version", "--run"}
HYDRA_OPTIONS = {"-c", "--cfg", "-i", "--info", "-p", "--package", "-cd", "--config-dir"}
_OVERRIDE = re.compile(r"(?P<sign>\+{1,2}|~)?(?P<key>[\w./@-]+)(?:=(?P<value>.*))?", re.DOTALL)


def check_command(name: str) -> None:
    """Refuse a command that does not exist."""
    if name not in COMMANDS:
        raise UserError(f"{name}: no such command; {nearest(name, COMMANDS)}")


def normalized(command: str, arguments: list[str]) -> list[str]:
    """The arguments as Hydra wants them, every key checked.

    `+key=value` means `key=value`, because all keys exist; `--flag` of a boolean key means
    `flag=true`. Raises UserError for an unknown key, group option or flag.
    """
    kept, skip = [], False
    for argument in arguments:
        if skip or argument in HYDRA_FLAGS:
            kept, skip = [*kept, argument], False
        elif argument in HYDRA_OPTIONS:
            kept, skip = [*kept, argument], True
        elif argument.startswith("-"):
            kept.append(_flag(command, argument))
        else:
            kept.append(_override(command, argument))
    return kept


def _flag(command: str, argument: str) -> str:
    """`--rebuild` to `rebuild=true`."""
    name, _, value = argument.lstrip("-").partition("=")
    key = name.replace("-", "_")
    booleans = [key for key, kind in keys_of(COMMANDS[command]).items() if kind is bool]
    if key in booleans:
        return f"{key}={value or 'true'}"
    known = [f"--{key}" for key in booleans] + [*HYDRA_FLAGS, *HYDRA_OPTIONS, "--help"]
    raise UserError(f"{argument}: no such flag; {nearest(argument, known)}")


def _override(command: str, argument: str) -> str:
    """Check the key, and a group's options where the value is plain; drop the plus sign."""
    match = _OVERRIDE.fullmatch(argument)
    if not match or (match["value"] is None and match["sign"] != "~"):
        raise UserError(f"{argument}: expected key=value")
    key, value = match["key"], match["value"] or ""
    if key.startswith("hydra.") or key.startswith("hydra/"):
        return argument
    groups = cli_help.groups_of(command)
    known = [*keys_of(COMMANDS[command]), *groups]
    if key.split("@")[0] not in known:
        raise UserError(f"{key}: no such key of ferbench {command}; {nearest(key, known)}")
    if key in groups:
        _check_options(key, value)
    return argument if match["sign"] == "~" else f"{key}={value}"


def _check_options(group: str, value: str) -> None:
    """Refuse a group's option that has no file; sweeps name several with commas."""
    options = cli_help.options_of(group)
    for option in value.split(",") if re.fullmatch(r"[\w,-]+", value) else []:
        if option not in options and option != "null":
            raise UserError(f"{group}={option}: no such option; {nearest(option, options)}")


def one_line(error: BaseException) -> str:
    """What is wrong with the config, as `key: reason`, out of Hydra's or OmegaConf's error."""
    chain: list[Any] = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    for one in reversed(chain):
        key = getattr(one, "full_key", None)
        if key:
            return f"{key}: {_reason(one, key)}"
    return " ".join(str(error).split())


def _reason(error: Any, key: str) -> str:
    message = str(error.msg if getattr(error, "msg", None) else error).splitlines()[0]
    if "Missing mandatory value" in message or "missing" in type(error).__name__.lower():
        return f"a value is needed; expected {key}=VALUE"
    return message
