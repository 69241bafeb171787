"""Command-line arguments, checked and put in order before Hydra sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferbench.cli.error_lines import in_words
from ferbench.config import yaml_files
from ferbench.config.commands import COMMANDS, SHORT_KEYS, keys_of, texts_of
from ferbench.errors import UserError, nearest

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

SHORT = {"-m": "--multirun", "-c": "--cfg", "-p": "--package", "-cd": "--config-dir"}
SWITCHES = ("--multirun", "--resolve")
OPTIONS: dict[str, tuple[str, ...]] = {
    "--cfg": ("job", "hydra", "all"),
    "--package": (),
    "--config-dir": (),
}
_VALUES = {
    "--cfg": "job, hydra or all",
    "--package": "SECTION",
    "--config-dir": "FOLDER",
}
QUOTED = "text, in quotes if it holds special characters (hydra.cc: override grammar)"
_OVERRIDE = re.compile(r"(?P<sign>\+{1,2}|~)?(?P<key>[\w./-]+)(?:=(?P<value>.*))?", re.DOTALL)


def check_command(name: str) -> None:
    """Refuse a command that does not exist."""
    if name.startswith("-") or "=" in name:
        raise UserError(f"{name}: expected a command before it, one of {', '.join(COMMANDS)}")
    if name not in COMMANDS:
        raise UserError(f"{name}: no such command; {nearest(name, COMMANDS)}")


def for_hydra(command: str, arguments: list[str]) -> list[str]:
    """The arguments as Hydra wants them: flags first, then overrides, every key checked.

    `+key=value` means `key=value`, because all keys exist; `mix=add` means `data.mix=add` and so on
    (`commands.SHORT_KEYS`); `--flag` of a boolean key means `flag=true`; the values of
    keys marked `AsTyped` are taken as they stand, except in a sweep.
    Raises UserError for an unknown key, option or flag, and for several values without -m.
    """
    flags, words = _split(command, arguments)
    sweep = "--multirun" in flags
    further = [Path(flag.partition("=")[2]) for flag in flags if flag.startswith("--config-dir=")]
    flags = [flag for flag in flags if not flag.startswith("--config-dir=")]
    own = [_quoted(f"own://{folder.resolve()}") for folder in further]
    flags += [f"hydra.searchpath=[{','.join(own)}]"] if own else []
    _check_spellings(command, words)
    return [*flags, *(_override(command, word, sweep, further) for word in words)]


def _check_spellings(command: str, words: list[str]) -> None:
    """Refuse a key that is given by its short and by its full name; which would win is unclear."""
    keys, groups = keys_of(COMMANDS[command]), yaml_files.groups_of(command)
    spelled: dict[str, str] = {}
    for word in words:
        key = word.partition("=")[0].lstrip("+")
        short = key not in groups and SHORT_KEYS.get(key) in keys
        other = spelled.setdefault(SHORT_KEYS[key] if short else key, word)
        if other.partition("=")[0].lstrip("+") != key:
            raise UserError(f"{other} {word}: two names of one key; expected one of them")


# --- flags ---------------------------------------------------------------------------------------


def _split(command: str, arguments: list[str]) -> tuple[list[str], list[str]]:
    """Flags with their values attached, and overrides."""
    flags, words, rest = [], [], iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        name = SHORT.get(name, name)
        if not argument.startswith("-"):
            words.append(argument)
        elif name in OPTIONS:
            flags.append(_option(command, name, value if equals else next(rest, "")))
        elif name in SWITCHES:
            flags.append(name)
        else:
            words.append(_boolean(command, argument))
    _check_together([flag.partition("=")[0] for flag in flags])
    return flags, words


def _check_together(names: list[str]) -> None:
    """Refuse flags that exclude each other, and those that lack the one they belong to."""
    for name in ("--resolve", "--package"):
        if name in names and "--cfg" not in names:
            raise UserError(f"{name}: goes with --cfg job; expected both")
    if "--multirun" in names and "--cfg" in names:
        raise UserError("--cfg: prints one config; expected no --multirun with it")


def _option(command: str, name: str, value: str) -> str:
    """`--cfg=job` after a look at the value."""
    choices = OPTIONS[name]
    if name == "--package" and not value.startswith("hydra"):
        choices = tuple(keys_of(COMMANDS[command]))
    if not value:
        raise UserError(f"{name}: a value is needed; expected {name} {_VALUES[name]}")
    if choices and value not in choices:
        raise UserError(f"{name}={value}: unknown; {nearest(value, choices)}")
    if name == "--config-dir" and not Path(value).is_dir():
        raise UserError(
            f"{name}={value}: no such folder; expected one that holds GROUP/OPTION.yaml"
        )
    return f"{name}={value}"


def _boolean(command: str, argument: str) -> str:
    """`--rebuild` to `rebuild=true`."""
    name, _, value = argument.lstrip("-").partition("=")
    key = name.replace("-", "_")
    keys = keys_of(COMMANDS[command])
    if keys.get(key) is bool:
        return f"{key}={value or 'true'}"
    if key in keys or key in yaml_files.groups_of(command):
        raise UserError(f"{argument}: not a flag; expected {key}={value or 'VALUE'}")
    booleans = [f"--{key}" for key, kind in keys.items() if kind is bool]
    known = [*SHORT, *SWITCHES, *OPTIONS, *booleans, "--help", "--version"]
    raise UserError(f"{argument}: no such flag; {nearest(argument, known)}")


# --- overrides -----------------------------------------------------------------------------------


def _override(command: str, argument: str, sweep: bool, further: list[Path]) -> str:
    """Check key and value; drop the plus sign. What belongs to Hydra is left to it."""
    keys, groups = keys_of(COMMANDS[command]), yaml_files.groups_of(command)
    match = _OVERRIDE.fullmatch(argument)
    if not match:
        raise UserError(f"{argument}: expected key=value")
    if f"{command}-{argument}" in COMMANDS:  # audit data
        raise UserError(f"{argument}: expected ferbench {command}-{argument}, a command of its own")
    sign, key, value = match.groups()
    if key.startswith(("hydra.", "hydra/")):
        return argument
    if key not in groups and SHORT_KEYS.get(key) in keys:
        key = SHORT_KEYS[key]
    if key not in (*keys, *groups):
        raise UserError(
            f"{key}: no such key of ferbench {command}; {nearest(key, [*keys, *groups])}"
        )
    if sign == "~":
        raise UserError(f"{argument}: a key cannot be removed; expected {key}=VALUE")
    if value is None:
        raise UserError(f"{argument}: a value is needed; expected {key}=VALUE")
    if not sweep and key in texts_of(COMMANDS[command]):
        return f"{key}={_quoted(value)}"
    parsed = _parsed(command, key, value, sweep)
    if key in groups:
        _check_options(command, key, parsed, further)
    return f"{key}={value}"


def _quoted(value: str) -> str:
    """The value in quotes that Hydra removes again, unless it is null or has quotes."""
    if value == "null" or re.fullmatch(r"'.*'|\".*\"", value, re.DOTALL):
        return value
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text=value, quote=Quote.single).with_quotes()


def _parsed(command: str, key: str, value: str, sweep: bool) -> Override:
    """What Hydra's grammar makes of the value; refuses several values outside a sweep."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        (parsed,) = OverridesParser.create().parse_overrides([f"{key}={value}"])
    except HydraException:
        if key in yaml_files.groups_of(command):
            options = yaml_files.options_for(command, key)
            raise UserError(f"{key}={value}: no such option; {nearest(value, options)}") from None
        kind = keys_of(COMMANDS[command]).get(key, str)
        expected = QUOTED if kind is str else in_words(kind)
        raise UserError(f"{key}={value}: cannot be read; expected {expected}") from None
    except AttributeError:  # Hydra's parser leaves out steps that stand in its asserts
        if __debug__:
            raise
        raise UserError(
            f"{key}={value}: Hydra cannot read functions like range() with PYTHONOPTIMIZE or -O; "
            "expected values with commas, or Python without it"
        ) from None
    if not parsed.is_sweep_override():
        return parsed
    if not sweep:
        raise UserError(
            f"{key}={value}: several values are a sweep; "
            f"expected -m before it: ferbench {command} -m {key}={value}"
        )
    if not parsed.is_discrete_sweep():
        raise UserError(f"{key}={value}: no end of values; expected some with commas, or range()")
    return parsed


def _check_options(command: str, group: str, parsed: Override, further: list[Path]) -> None:
    """Refuse a group's option that the command does not have; a sweep and a list name several."""
    options = yaml_files.options_for(command, group, *further)
    for option in _options(parsed):
        if option is None or option == "null":
            raise UserError(f"{group}=null: an option is needed; {nearest('', options)}")
        if isinstance(option, str) and option not in options:
            whose = f" of ferbench {command}" if option in yaml_files.options_of(group) else ""
            raise UserError(f"{group}={option}: no such option{whose}; {nearest(option, options)}")


def _options(parsed: Override) -> Iterator[Any]:
    """The single options of a plain value, a list, or a sweep; a glob names what exists."""
    from hydra.core.override_parser.types import Glob

    value = parsed.value()
    if isinstance(value, Glob):
        return
    if parsed.is_sweep_override():
        yield from parsed.sweep_string_iterator()
    else:
        yield from value if isinstance(value, list) else [value]
