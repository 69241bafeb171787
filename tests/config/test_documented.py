"""Every key, option and value is named in README or docs: what nobody can read about goes."""

import re
from functools import cache
from pathlib import Path

import pytest

from ferbench.config.commands import COMMANDS, SHORT_KEYS, keys_of
from ferbench.config.yaml_files import (
    groups_of,
    keys_of_command,
    keys_of_option,
    options_for,
    options_of,
)

ROOT = Path(__file__).parents[2]
GROUPS = sorted({group for command in COMMANDS for group in groups_of(command)})


@cache
def named(word: str) -> bool:
    """Whether the word stands in README or docs, not as a part of another one."""
    files = [ROOT / "README.md", *ROOT.glob("docs/*.md")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


@pytest.mark.parametrize("command", COMMANDS)
def test_every_key_is_documented(command: str) -> None:
    for key in keys_of(COMMANDS[command]):
        short = [one for one, full in SHORT_KEYS.items() if full == key]
        assert any(map(named, [key, key.rpartition(".")[2], *short])), key


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_is_documented(group: str) -> None:
    for option in options_of(group):
        assert named(f"{group}={option}"), option


@pytest.mark.parametrize("command", COMMANDS)
def test_every_value_is_documented(command: str) -> None:
    """The values that a key's comment lists, as in `cosine | one_cycle | constant`."""
    shown = keys_of_command(command)
    for group in groups_of(command):
        for option in options_for(command, group):
            shown |= keys_of_option(group, option)
    for key, (_, comment) in shown.items():
        if "|" in comment:
            for value in re.findall(r"(?:^|\| |: )(\w+)(?= \||\(|$| \(|,|;|:)", comment):
                assert named(value), f"{key}={value}"
