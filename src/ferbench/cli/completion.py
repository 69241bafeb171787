"""Completion of commands, groups, options, keys and flags in the shell."""

from __future__ import annotations

from ferbench.cli.arguments import OPTIONS, SWITCHES
from ferbench.config.commands import COMMANDS, keys_of
from ferbench.config.yaml_files import groups_of, options_for
from ferbench.errors import UserError

# Bash splits words at "=": only what stands behind it is replaced. Values that are not options
# are completed as file names (-o default).
BASH = """\
_ferbench() {
    local IFS=$'\\n' line="${COMP_LINE:0:COMP_POINT}"
    local word="${line##* }"
    COMPREPLY=($(ferbench --complete "$line" 2>/dev/null))
    if [[ $word == *=* && $COMP_WORDBREAKS == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%%=*}="}")
    fi
}
complete -o default -o nospace -F _ferbench ferbench"""


def script(shell: str) -> str:
    """What the shell has to evaluate; UserError for a shell that is not known."""
    if shell != "bash":
        raise UserError(f"--completion {shell}: unknown; expected bash (zsh: after bashcompinit)")
    return BASH


def candidates(line: str) -> list[str]:
    """The words that may stand in place of the line's last one; a whole word ends in a space."""
    *before, word = line.split(" ")
    before = [other for other in before if other]
    if len(before) < 2:
        return [f"{name} " for name in (*COMMANDS, "--help", "--version") if name.startswith(word)]
    command = before[1]
    if command not in COMMANDS:
        return []
    key, equals, value = word.partition("=")
    return _values(command, key, value) if equals else _names(command, word)


def _names(command: str, word: str) -> list[str]:
    """Groups and flags; keys once a letter is there, because they are many."""
    keys = [key for key in keys_of(COMMANDS[command]) if word]
    flags = [f"{flag} " for flag in ("-m", *SWITCHES, *OPTIONS, "--help")]
    names = [*(f"{name}=" for name in dict.fromkeys((*groups_of(command), *keys))), *flags]
    return [name for name in names if name.startswith(word)]


def _values(command: str, key: str, value: str) -> list[str]:
    """Options of a group, behind the last comma of a sweep; true and false."""
    done, comma, last = value.rpartition(",")
    if key in groups_of(command):
        options = options_for(command, key)
    else:
        options = ["true", "false"] if keys_of(COMMANDS[command]).get(key) is bool else []
    end = "" if key in groups_of(command) else " "
    return [f"{key}={done}{comma}{one}{end}" for one in options if one.startswith(last)]
