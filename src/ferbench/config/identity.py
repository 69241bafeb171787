"""What identifies a run: the keys of its config that change a result, as their fields say."""

from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from ferbench.recipes.marks import CONTENT, NEUTRAL, RESULT


def identity(section: Any) -> dict[str, Any]:
    """{key: value} of the keys that change a result, for the hash that identifies a run.

    section: a command's config, a section of one, or a recipe; sections inside it become dicts.
    What is null, and a section in which nothing counts, is left out: a key that has no meaning
    beside the others is null, because the checks refuse any other value.
    A section whose property `off` is true counts for nothing, nor do the keys that its property
    `unread` names: those that the command does not read beside the values of others.

    Not in here is what the fields mark as `Content`: paths, names and `auto`. The command adds
    the hashes or names of what it read for them.
    """
    if getattr(section, "off", False):
        return {}
    found: dict[str, Any] = {}
    for key, mark in _read_marks(section).items():
        value = getattr(section, key)
        if mark == RESULT and is_dataclass(value):
            value = identity(value) or None
        if mark == RESULT and value is not None:
            found[key] = value
    return found


def keys_of_mark(section: Any, mark: str, prefix: str = "") -> dict[str, Any]:
    """{dotted key: value} of the keys with this mark, as flat text for people to compare runs.

    Sections inside are looked into, whatever their own mark. What is null is left out.
    """
    if getattr(section, "off", False):
        return {}
    found: dict[str, Any] = {}
    for key, own in _read_marks(section).items():
        value = getattr(section, key)
        if is_dataclass(value):
            found |= keys_of_mark(value, mark, f"{prefix}{key}.")
        elif own == mark and value is not None:
            found[prefix + key] = value
    return found


def _read_marks(section: Any) -> dict[str, str | None]:
    unread = getattr(section, "unread", ())
    return {key: mark for key, mark in marks(type(section)).items() if key not in unread}


def marks(schema: type) -> dict[str, str | None]:
    """{key: its mark} of a section's own fields: result, content or neutral; None without one."""
    hints = get_type_hints(schema, include_extras=True)
    return {field.name: _mark(hints[field.name]) for field in fields(schema)}


def _mark(kind: Any) -> str | None:
    written = [one for one in get_args(kind)[1:] if one in (RESULT, CONTENT, NEUTRAL)]
    return written[0] if written else None
