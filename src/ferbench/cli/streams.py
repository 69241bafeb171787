"""stdout and stderr of any encoding: letters that they cannot print are replaced by others."""

from __future__ import annotations

import codecs
import sys
import unicodedata
from io import TextIOWrapper

SUBSTITUTES = {
    "\u00b1": "+-",  # plus or minus
    "\u00d7": "x",
    "\u2013": "-",
    "\u2014": "-",
    "\u2026": "...",
    "\u2192": "->",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u00df": "ss",
}
LOSES_TEXT_OR_FAILS = ("strict", "surrogateescape")
HANDLER = "ferbench-substitutes"


def print_substitutes() -> None:
    """Let print() never fail in ASCII or GBK: +- stands for plus-minus, a for its umlaut.

    A way that PYTHONIOENCODING names (`ascii:replace`) is kept, and so are the escapes of stderr.
    """
    codecs.register_error(HANDLER, _substituted)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors in LOSES_TEXT_OR_FAILS:
            stream.reconfigure(errors=HANDLER)


def _substituted(error: UnicodeError) -> tuple[str, int]:
    """What a codec asks for: other text for the characters it lacks, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_plain(letter) for letter in lacking), error.end


def _plain(letter: str) -> str:
    """ASCII for one character: its base letter, or ?."""
    if letter in SUBSTITUTES:
        return SUBSTITUTES[letter]
    base = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode("ascii")
    return base or "?"
