"""Help texts, read from the config files themselves; nothing heavy is imported."""

from __future__ import annotations

import shutil
import textwrap

from ferbench.config.commands import COMMANDS, SHORT_KEYS, keys_of
from ferbench.config.yaml_files import (
    CONF,
    examples,
    groups_of,
    keys_of_command,
    keys_of_option,
    options_for,
    options_of,
    primary,
    summary,
)
from ferbench.errors import UserError, nearest

__all__ = ["CONF", "command", "group", "overview"]

FLAGS = [
    ("-m, --multirun", "sweep: one run for every combination of the values between commas"),
    ("--cfg job", "print the config and run nothing; with --resolve, references filled in"),
    ("--config-dir DIR", "take options from DIR/<group>/ too, e.g. your own experiments"),
    ("--help GROUP", "a group's options and keys; GROUP=OPTION: the keys of that option"),
]
FOOT = "HYDRA_FULL_ERROR=1 shows the whole traceback of any error."


def overview() -> str:
    """What `ferbench` alone prints: commands, groups with their options, examples."""
    commands = [(name, summary(primary(name))) for name in COMMANDS]
    groups = {group: " ".join(options_of(group)) for name in COMMANDS for group in groups_of(name)}
    return "\n".join(
        [
            "usage: ferbench <command> [group=option ...] [key=value ...]",
            "",
            "Can synthetic faces replace real ones when a machine learns facial expressions?",
            *_part("commands", commands),
            *_part("groups and their options", list(groups.items())),
            "",
            "examples:",
            "  ferbench prepare source=fer2013.zip",
            "  ferbench classify -m model=cnn,resnet18 data=real seed=0,1,2",
            "",
            "ferbench <command> --help        its groups, keys and flags",
            "ferbench <command> --help GROUP  the keys of a group",
            'eval "$(ferbench --completion bash)" completes commands, groups and keys.',
            FOOT,
        ]
    )


def command(name: str) -> str:
    """What `ferbench <command> --help` prints: its groups with their options, its keys."""
    groups = groups_of(name)
    own = {k: v for k, v in keys_of_command(name).items() if k.partition(".")[0] not in groups}
    keys = [_key_row(key, *entry) for key, entry in own.items()]
    lines = [
        f"usage: ferbench {name} [-m] [group=option ...] [key=value ...]",
        "",
        summary(primary(name)),
        "",
        "examples:",
        *(f"  {line}" for line in examples(name)),
        *_part("keys", keys),
    ]
    if groups:
        rows = [row for group in groups for row in _option_rows(name, group)]
        lines += _part("groups (* is the default)", rows)
        title = f"keys of the defaults (ferbench {name} --help GROUP says what they do)"
        defaults = _defaults(name)
        lines += _part(title, defaults) if defaults else []
    return "\n".join([*lines, *_part("flags", FLAGS), "", FOOT])


def group(name: str, words: list[str]) -> str:
    """What `ferbench <command> --help GROUP` prints; GROUP=OPTION shows that option's keys.

    Raises UserError for a group or an option that does not exist.
    """
    return "\n\n".join(_group(name, word) for word in words)


def _group(name: str, word: str) -> str:
    groups = groups_of(name)
    chosen, _, option = word.partition("=")
    chosen = chosen.partition(".")[0]
    if chosen not in groups:
        raise UserError(
            f"--help {word}: no such group of ferbench {name}; {nearest(chosen, groups)}"
        )
    options = options_for(name, chosen)
    if option not in ("", *options):
        raise UserError(f"{word}: no such option; {nearest(option, options)}")
    option = option or (groups[chosen] if groups[chosen] != "null" else options[0])
    keys = [_key_row(key, *entry) for key, entry in _keys_to_set(name, chosen, option).items()]
    rows = _part(f"options of {chosen} (* is the default)", _option_rows(name, chosen))
    lines = [*rows[1:], *_part(f"keys, as {chosen}={option} sets them", keys)]
    short = _short_keys(name, chosen)
    return "\n".join([*lines, *(_part("short spellings", short) if short else [])])


def _short_keys(name: str, group: str) -> list[tuple[str, str]]:
    """The shortest spelling of each key of a group's section that has one."""
    keys = keys_of(COMMANDS[name])
    shortest: dict[str, str] = {}
    for short, full in SHORT_KEYS.items():
        if full in keys and full.startswith(f"{group}."):
            shortest[full] = min(short, shortest.get(full, short), key=len)
    return [(f"{short}=", full) for full, short in shortest.items()]


def _key_row(key: str, value: str, comment: str) -> tuple[str, str]:
    return f"{key}={'' if value == '???' else value}", comment


def _option_rows(name: str, group: str) -> list[tuple[str, str]]:
    default = groups_of(name)[group]
    return [
        (
            f"{group}={option}{' *' if option == default else ''}",
            summary(CONF / group / f"{option}.yaml"),
        )
        for option in options_for(name, group)
    ]


def _keys_to_set(name: str, group: str, option: str) -> dict[str, tuple[str, str]]:
    """The keys of a group's section, as an option sets them, and those that no option sets.

    Not `name`, which says to the program which option it is.
    """
    keys = {k: v for k, v in keys_of_command(name).items() if k.startswith(f"{group}.")}
    own = {} if option == "null" else keys_of_option(group, option)
    for key, (value, comment) in own.items():
        keys[key] = (value, comment or keys.get(key, ("", ""))[1])
    return {key: entry for key, entry in keys.items() if key != f"{group}.name"}


def _defaults(name: str) -> list[tuple[str, str]]:
    """The keys of every group's default option, many in a line, behind their common prefix.

    Where two options set a key, the later group's value stands, as in the composed config.
    """
    values: dict[str, str] = {}
    for group, option in groups_of(name).items():
        for key, (value, _) in _keys_to_set(name, group, option).items():
            values[key] = value
    sections: dict[str, list[str]] = {}
    for key, value in values.items():
        prefix, _, last = key.rpartition(".")
        sections.setdefault(f"{prefix}.", []).append(f"{last}={value}")
    return [(prefix, " ".join(words)) for prefix, words in sections.items()]


def _part(title: str, rows: list[tuple[str, str]]) -> list[str]:
    return ["", f"{title}:", *_columns(rows)]


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    """Two columns; the right one is wrapped at the terminal's width, at most 100."""
    width = min(max(shutil.get_terminal_size((80, 24)).columns, 60), 100)
    left_width = max((len(left) for left, _ in rows if len(left) <= 28), default=0)
    lines: list[str] = []
    for left, right in rows:
        indent = " " * (left_width + 4)
        wrapped = textwrap.wrap(
            right, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )
        if len(left) > left_width or not wrapped:
            lines.append(f"  {left}")
        else:
            wrapped[0] = f"  {left:<{left_width}}  {wrapped[0].lstrip()}"
        lines += wrapped
    return lines
