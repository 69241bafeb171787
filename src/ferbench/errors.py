"""The one error that a user can mend, and checks of single values that raise it."""

import difflib
import math
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in what the user gave: `key=value: what is wrong; what was expected`.

    The command line prints it as one line and exits with status 2; anything else is a bug
    and shows its traceback.
    """


NAME_BYTES = 100  # of a name that a user chooses: folders add to it, and end at 255
LISTED = 25  # so many options are listed where none is near


def one_of(key: str, value: str, allowed: Iterable[str]) -> None:
    """Refuse a value that is not in `allowed`, with the nearest ones."""
    options = list(allowed)
    if value not in options:
        raise UserError(f"{key}={value}: unknown; {nearest(value, options)}")


def at_least(key: str, value: float, low: float) -> None:
    """Refuse a value below `low`, or not finite."""
    if not (math.isfinite(value) and value >= low):
        raise UserError(f"{key}={value}: expected at least {low}")


def at_most(key: str, value: float | None, high: float, why: str) -> None:
    """Refuse a value above `high`, with the reason; null is none."""
    if value is not None and value > high:
        shown = f"{high:,}" if isinstance(high, int) else f"{high:g}"
        raise UserError(f"{key}={value}: expected at most {shown}: {why}")


def positive(key: str, value: float) -> None:
    """Refuse a value that is not above 0, or not finite."""
    if not 0 < value < math.inf:
        raise UserError(f"{key}={value}: expected more than 0")


def between(key: str, value: float, low: float, high: float) -> None:
    """Refuse a value outside [low, high]."""
    if not low <= value <= high:
        raise UserError(f"{key}={value}: expected a value from {low} to {high}")


def file_name(key: str, value: str) -> None:
    """Refuse a name that could leave its folder, be hidden, or be too long with what is added."""
    size = len(value.encode("utf-8", "surrogateescape"))
    if size > NAME_BYTES:
        raise UserError(f"{key}={value[:20]}...: {size} letters; expected at most {NAME_BYTES}")
    plain = bool(value) and all(c.isalnum() or c in "._-" for c in value)
    if not plain or value[0] in ".-":
        raise UserError(f"{key}={value}: expected letters, digits, '.', '_' and '-'")


def is_network(source: str) -> bool:
    """True if `source` names a file or address of networks, not a run's folder."""
    return source.startswith(("http://", "https://")) or source.endswith((".pkl", ".safetensors"))


def nearest(word: str, options: Iterable[str]) -> str:
    """`did you mean a, b?`; where nothing is near, the whole list, or that --help shows it.

    A dotted option is near too if its last part is, or holds the word: lr finds train.peak_lr.
    """
    known = sorted(set(options))
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    if not near:
        tails = {option: option.rpartition(".")[2] for option in known}
        close = difflib.get_close_matches(word, set(tails.values()), n=3, cutoff=0.6)
        near = [
            key for key, tail in tails.items() if tail in close or (len(word) > 1 and word in key)
        ]
    if near:
        return f"did you mean {', '.join(near[:5])}?"
    if len(known) > LISTED:
        return "--help lists what there is"
    return f"expected one of {', '.join(known)}"
