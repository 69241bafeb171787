"""Help texts, read from the config files themselves; nothing heavy is imported."""

from __future__ import annotations

import shutil
import textwrap

from ferbench.config.commands import COMMANDS
from ferbench.config.yaml_files import (
    CONF,
    examples,
    groups_of,
    keys_of_command,
    keys_of_option,
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
    """What `ferbench` alone prints: commands, groups with their options, common keys, examples."""
    commands = [(name, summary(primary(name))) for name in COMMANDS]
    groups = {group: " ".join(options_of(group)) for name in COMMANDS for group in groups_of(name)}
    return "\n".join(
        [
            "usage: ferbench <command> [group=option ...] [key=value ...]",
            "",
            "Can synthetic faces replace real ones when a machine learns facial expressions?",
            *_part("commands", commands),
            *_part("groups and their options", list(groups.items())),
            *_part("keys of most commands", _common_keys()),
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
    keys = [_key_row(key, *entry) for key, entry in keys_of_command(name).items()]
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
        rows = [row for group, default in groups.items() for row in _option_rows(group, default)]
        lines += _part("groups (* is the default)", rows)
        lines += ["", f"keys of the defaults (ferbench {name} --help GROUP says what they do):"]
        lines += _defaults(groups)
    return "\n".join([*lines, *_part("flags", FLAGS), "", FOOT])


def group(name: str, words: list[str]) -> str:
    """What `ferbench <command> --help GROUP` prints; GROUP=OPTION shows that option's keys.

    Raises UserError for a group or an option that does not exist.
    """
    groups = groups_of(name)
    return "\n\n".join(_group(name, word, groups) for word in words)


def _group(name: str, word: str, groups: dict[str, str]) -> str:
    chosen, _, option = word.partition("=")
    chosen = chosen.partition(".")[0]
    if chosen not in groups:
        raise UserError(
            f"--help {word}: no such group of ferbench {name}; {nearest(chosen, groups)}"
        )
    if option not in ("", *options_of(chosen)):
        raise UserError(f"{word}: no such option; {nearest(option, options_of(chosen))}")
    option = option or (groups[chosen] if groups[chosen] != "null" else options_of(chosen)[0])
    keys = [_key_row(key, *entry) for key, entry in _keys_to_set(chosen, option).items()]
    options = _part(f"options of {chosen} (* is the default)", _option_rows(chosen, groups[chosen]))
    return "\n".join([*options[1:], *_part(f"keys, as {chosen}={option} sets them", keys)])


def _common_keys() -> list[tuple[str, str]]:
    """The keys that two commands or more take, with the first one's comment."""
    entries = [(key, entry) for name in COMMANDS for key, entry in keys_of_command(name).items()]
    names = [key for key, _ in entries]
    first = {key: entry for key, entry in reversed(entries) if names.count(key) > 1}
    shown = [key for key in dict.fromkeys(names) if key in first]
    return [_key_row(key, *first[key]) for key in shown]


def _key_row(key: str, value: str, comment: str) -> tuple[str, str]:
    return f"{key}={'' if value == '???' else value}", comment


def _option_rows(group: str, default: str) -> list[tuple[str, str]]:
    return [
        (
            f"{group}={option}{' *' if option == default else ''}",
            summary(CONF / group / f"{option}.yaml"),
        )
        for option in options_of(group)
    ]


def _keys_to_set(group: str, option: str) -> dict[str, tuple[str, str]]:
    """The keys of an option but its `name`, which says to the program which option it is."""
    keys = {} if option == "null" else keys_of_option(group, option)
    return {key: entry for key, entry in keys.items() if key != f"{group}.name"}


def _defaults(groups: dict[str, str]) -> list[str]:
    """The keys of every group's default option, many in a line, behind their common prefix."""
    sections: dict[str, list[str]] = {}
    for group, option in groups.items():
        for key, (value, _) in _keys_to_set(group, option).items():
            prefix, _, name = key.rpartition(".")
            sections.setdefault(f"{prefix}.", []).append(f"{name}={value}")
    return _columns([(prefix, " ".join(words)) for prefix, words in sections.items()])


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
