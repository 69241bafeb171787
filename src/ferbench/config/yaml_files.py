"""What the config files say, read without Hydra: groups, options, keys with values and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ferbench.config.commands import COMMANDS, keys_of

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


def options_for(command: str, group: str, *more: Path) -> list[str]:
    """The options of a group that set no key but those of the command; of `more` all."""
    taken = keys_of(COMMANDS[command])
    own = [
        option
        for option in options_of(group)
        if all(key in taken or key.startswith("hydra.") for key in keys_of_option(group, option))
    ]
    return sorted({*own, *(path.stem for conf in more for path in (conf / group).glob("*.yaml"))})


def keys_of_command(command: str) -> dict[str, tuple[str, str]]:
    """{key: (value, comment)} of what the command takes outside its groups; ??? is no value."""
    found = dict(_keys(primary(command)))
    for entry in _defaults(primary(command)):
        if isinstance(entry, str) and (CONF / f"{entry.partition('@')[0]}.yaml").is_file():
            name, _, package = entry.partition("@")
            prefix = f"{package}." if package else ""
            for key, shown in _keys(CONF / f"{name}.yaml").items():
                if not key.startswith("hydra."):
                    found.setdefault(prefix + key, shown)
    return found


def keys_of_option(group: str, option: str) -> dict[str, tuple[str, str]]:
    """{full key: (value, comment)} that an option sets, with what it takes from other options."""
    path = CONF / group / f"{option}.yaml"
    prefix = "" if "@package _global_" in path.read_text(encoding="utf-8") else f"{group}."
    found: dict[str, tuple[str, str]] = {}
    for base in _defaults(path):
        if isinstance(base, str) and base != "_self_":
            found |= keys_of_option(group, base)
    for key, (value, comment) in _keys(path).items():
        found[prefix + key] = (value, comment or found.get(prefix + key, ("", ""))[1])
    return found


def shared_files() -> set[Path]:
    """The files that the commands' primary files take in beside options of groups."""
    primaries = [path for path in CONF.glob("*.yaml") if "defaults" in _load(path)]
    names = {e.partition("@")[0] for p in primaries for e in _defaults(p) if isinstance(e, str)}
    return {path for name in names if (path := CONF / f"{name}.yaml").is_file()}


def _defaults(path: Path) -> list[Any]:
    entries: list[Any] = _load(path).get("defaults", [])
    return entries


@cache
def _load(path: Path) -> dict[str, Any]:
    """The file with every scalar as the text that stands there."""
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    assert isinstance(content, dict), path
    return content


@cache
def _keys(path: Path) -> dict[str, tuple[str, str]]:
    """{dotted key: (value as it stands there, comment behind it)}, without the defaults list."""
    import yaml

    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    assert isinstance(root, yaml.MappingNode), path
    return dict(_scalars(root, text.splitlines(), ""))


def _scalars(section: Any, lines: list[str], prefix: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """The scalars and lists of a YAML mapping node and of those inside it."""
    import yaml

    for key, value in section.value:
        if key.value == "defaults" and not prefix:
            continue
        name = prefix + key.value
        if isinstance(value, yaml.MappingNode):
            yield from _scalars(value, lines, f"{name}.")
        elif isinstance(value, yaml.ScalarNode) or value.flow_style:  # a list in brackets
            line, behind = lines[value.end_mark.line], value.end_mark.column
            comment = re.fullmatch(r"\s*#\s*(.*)", line[behind:])
            text = line[value.start_mark.column : behind]
            scalar = value.value if isinstance(value, yaml.ScalarNode) else text
            yield name, (scalar, comment[1] if comment else "")
