"""How an error ends: one line for a user's mistake, trouble or a stop, a traceback for a bug."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args

from ferbench.cli import machine_trouble
from ferbench.config.commands import COMMANDS, keys_of
from ferbench.config.yaml_files import keys_of_command
from ferbench.errors import UserError, nearest

_WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "text"}


def one_line(error: BaseException, command: str) -> str:
    """What is wrong with the config of `command`: `key=value: what is wrong; what was expected`.

    error: raised while Hydra composed the config, or OmegaConf made objects of it.
    """
    keyed = [one for one in _chain(error) if getattr(one, "full_key", None)]
    if keyed:
        return _config_file(error) + _reason(keyed[-1], command)
    missing = getattr(error, "missing_cfg_file", None)
    if missing:
        group, _, option = missing.rpartition("/")
        text = nearest(option, getattr(error, "options", None) or ())
        if group == "hydra/launcher":
            text += f"; more are plugins: pip install hydra-{option.partition('_')[0]}-launcher"
        return f"{group}={option}: no such option; {text}"
    text = re.sub(r"^In '[^']*': ", "", str(error).partition("\nSee https")[0])
    return _config_file(error) + " ".join(text.split())


def in_words(kind: Any) -> str:
    """The type of a key as text: `an integer or null`."""
    inner = get_args(kind)
    if inner:
        return f"{in_words(inner[0])} or null"
    return _WORDS[kind]


def _chain(error: BaseException) -> Iterator[Any]:
    """The error and what led to it, in that order."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def _config_file(error: BaseException) -> str:
    """`train/mine.yaml: ` where Hydra says that the error comes from that file."""
    match = re.match(r"In '([\w./-]+)'", str(error))
    return f"{match[1]}.yaml: " if match else ""


def _reason(error: Any, command: str) -> str:
    from omegaconf.errors import (
        ConfigAttributeError,
        ConfigKeyError,
        MissingMandatoryValue,
        ValidationError,
    )

    key, keys = error.full_key, keys_of(COMMANDS[command])
    if isinstance(error, MissingMandatoryValue):
        _, comment = keys_of_command(command).get(key, ("", ""))
        return f"{key}=: a value is needed; expected {comment or f'{key}=VALUE'}"
    if isinstance(error, (ConfigAttributeError, ConfigKeyError)):
        if key.startswith("hydra."):
            return f"{key}: no such key with these options; --cfg hydra prints what there is"
        return f"{key}: no such key of ferbench {command}; {nearest(key, keys)}"
    if isinstance(error, ValidationError) and key in keys:
        value = "null" if error.value is None else error.value
        return f"{key}={value}: {_type_expected(key, keys[key])}"
    return f"{key}: {str(error).splitlines()[0]}"


def _type_expected(key: str, kind: Any) -> str:
    if is_dataclass(kind):
        return f"is a section; expected one of its keys, like {key}.{fields(kind)[0].name}=VALUE"
    return f"expected {in_words(kind)}"


BUG, USER_MISTAKE, INTERRUPTED = 1, 2, 130
NOBODY_READS = 128 + 13  # SIGPIPE, which Windows has no name for


def report(error: BaseException, full_error: bool) -> int:
    """Print an error and return its status.

    A user's mistake, the machine's trouble or a stop is one line, a bug its traceback.
    """
    if isinstance(error, BrokenPipeError) and _nobody_reads():
        return NOBODY_READS
    stopped = isinstance(error, KeyboardInterrupt)
    mistake = isinstance(error, UserError)
    text = str(error) if stopped or mistake else machine_trouble.sentence(error, None, None)
    if full_error or text is None:
        traceback.print_exception(error)
    else:
        new_line = "\n" if stopped and sys.stderr.isatty() else ""  # after the terminal's ^C
        print(f"{new_line}ferbench: {text or 'interrupted'}", file=sys.stderr, flush=True)
    if stopped:
        return int(getattr(error, "exit_status", INTERRUPTED))
    return BUG if text is None else USER_MISTAKE


def _nobody_reads() -> bool:
    """Whether stdout is closed at its other end (`| head`); what is left is then thrown away."""
    try:
        print(flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False
