"""Help texts, read from the config files themselves; nothing heavy is imported."""

from __future__ import annotations

import re
from pathlib import Path

from ferbench.schema import COMMANDS

_PACKAGED = Path(__file__).parent / "conf"
CONF = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[2] / "conf"

FOOT = """\
Sweeps: -m with commas, e.g. seed=0,1,2. --cfg job prints the config and runs nothing.
HYDRA_FULL_ERROR=1 shows the traceback of any error."""


def overview() -> str:
    """What `ferbench` alone prints: the commands, two examples."""
    rows = [(command, summary(CONF / f"{_stem(command)}.yaml")) for command in COMMANDS]
    return "\n".join([
        "usage: ferbench <command> [key=value ...]",
        "",
        "Can synthetic faces replace real ones when a machine learns facial expressions?",
        "",
        *_columns(rows),
        "",
        "examples:",
        "  ferbench prepare source=fer2013.zip",
        "  ferbench classify -m model=cnn,resnet18 data=real seed=0,1,2",
        "",
        "`ferbench <command> --help` lists a command's groups and keys.",
        FOOT,
    ])  # fmt: skip


def command(name: str) -> str:
    """What `ferbench <command> --help` prints: its groups with their options, its keys."""
    text = (CONF / f"{_stem(name)}.yaml").read_text(encoding="utf-8")
    groups = groups_of(name)
    lines = [f"usage: ferbench {name} [-m] [group=option ...] [key=value ...]", ""]
    lines += [summary(CONF / f"{_stem(name)}.yaml"), "", "examples:", *_examples(text)]
    if groups:
        lines += ["", "groups (* is the default):"]
    for group, default in groups.items():
        rows = [
            (f"{group}={option}{' *' if option == default else ''}",
             summary(CONF / group / f"{option}.yaml"))
            for option in options_of(group)
        ]  # fmt: skip
        lines += _columns(rows)
    lines += ["", "keys:", *_columns(_keys(text) + _keys((CONF / "common.yaml").read_text("utf-8")))]
    lines += ["", f"Keys of a group: ferbench {name} --cfg job, or conf/<group>/.", FOOT]
    return "\n".join(lines)


def summary(path: Path) -> str:
    """The first comment of a config file that is not a directive."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and "@package" not in line:
            return line[2:].strip()
    return ""


def groups_of(name: str) -> dict[str, str]:
    """The config groups that a command takes, each with its default option."""
    text = (CONF / f"{_stem(name)}.yaml").read_text(encoding="utf-8")
    return dict(re.findall(r"^  - ([a-z]\w*): (\w+)$", text, re.MULTILINE))


def options_of(group: str) -> list[str]:
    """The options of a group: its YAML files."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def _examples(text: str) -> list[str]:
    return re.findall(r"^# (  ferbench .*)$", text, re.MULTILINE)


def _keys(text: str) -> list[tuple[str, str]]:
    """(key=value, comment) of the top-level keys of a config file."""
    found = re.findall(r"^([a-z]\w*): +([^#\n]*?) *(?:# (.*))?$", text, re.MULTILINE)
    return [(f"{key}={'' if value == '???' else value}", note) for key, value, note in found]


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max((len(left) for left, _ in rows), default=0)
    return [f"  {left:<{width}}  {right}".rstrip() for left, right in rows]


def _stem(name: str) -> str:
    return name.replace("-", "_")
