"""Keys that take auto, true or false."""

from ferbench.errors import one_of

_MEANINGS = {"auto": None, "true": True, "false": False}


def switch(key: str, value: str) -> bool | None:
    """True, False, or None for auto; UserError for any other word.

    OmegaConf hands `true` over as the text "True".
    """
    one_of(key, value.lower(), _MEANINGS)
    return _MEANINGS[value.lower()]
