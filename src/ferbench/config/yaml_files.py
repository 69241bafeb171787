"""What the config files say, read without Hydra: groups, options, keys with values and comments."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGED = Path(__file__).parents[1] / "conf"
CONF = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[3] / "conf"


def file_name(command: str) -> str:
    """Hydra's name of a command's primary file."""
    return command.replace("-", "_")


def primary(command: str) -> Path:
    """The command's primary file."""
    return CONF / f"{file_name(command)}.yaml"


def summary(path: Path) -> str:
    """The first comment of a config file that is not a directive."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and "@package" not in line:
            return line[2:].strip()
    return ""


def examples(command: str) -> list[str]:
    """The command lines that the head of its primary file shows."""
    return re.findall(r"^#   (ferbench .*)$", primary(command).read_text("utf-8"), re.MULTILINE)


def groups_of(command: str) -> dict[str, str]:
    """The config groups that a command takes, each with its default option (or "null")."""
    entries = [entry for entry in _load(primary(command))["defaults"] if isinstance(entry, dict)]
    return {group: option for entry in entries for group, option in entry.items()}


def options_of(group: str, *more: Path) -> list[str]:
    """The options of a group: its YAML files here and in further config folders."""
    return sorted({path.stem for conf in (CONF, *more) for path in (conf / group).glob("*.yaml")})


def keys_of_command(command: str) -> dict[str, tuple[str, str]]:
    """{key: (value, comment)} of what the command takes outside its groups; ??? is no value."""
    found = _scalars(primary(command))
    for key, entry in _scalars(CONF / "common.yaml").items():
        if not key.startswith("hydra."):
            found.setdefault(key, entry)
    return found


def keys_of_option(group: str, option: str) -> dict[str, tuple[str, str]]:
    """{full key: (value, comment)} that an option sets, with what it takes from other options."""
    path = CONF / group / f"{option}.yaml"
    prefix = "" if "@package _global_" in path.read_text(encoding="utf-8") else f"{group}."
    found: dict[str, tuple[str, str]] = {}
    for base in _load(path).get("defaults", ()):
        if isinstance(base, str) and base != "_self_":
            found |= keys_of_option(group, base)
    for key, (value, comment) in _scalars(path).items():
        found[prefix + key] = (value, comment or found.get(prefix + key, ("", ""))[1])
    return found


def _scalars(path: Path) -> dict[str, tuple[str, str]]:
    text = path.read_text(encoding="utf-8")
    comments = dict(re.findall(r"^ *([a-z]\w*):[^#\n]*# (.*)$", text, re.MULTILINE))
    return {
        key: (value, comments.get(key.rpartition(".")[2], ""))
        for key, value in _flat(_load(path)).items()
    }


def _flat(section: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted names; the defaults list is left out."""
    found: dict[str, str] = {}
    for key, value in section.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, str):
            found[prefix + key] = value
    return found


@cache
def _load(path: Path) -> dict[str, Any]:
    """The file with every scalar as the text that stands there."""
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    assert isinstance(content, dict), path
    return content
