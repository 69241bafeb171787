"""FER2013 from Kaggle, for those who have an account and its token."""

from __future__ import annotations

import os
from pathlib import Path

from ferbench.errors import UserError

HANDLE = "msambare/fer2013"


def download() -> Path:
    """Folder of the data set, downloaded through kagglehub (or from its cache).

    Raises UserError if there is no token, no kagglehub, or no way to Kaggle.
    """
    if not _has_token():
        raise UserError(
            "source=kaggle: no Kaggle token (~/.kaggle/kaggle.json, or KAGGLE_USERNAME and "
            f"KAGGLE_KEY); or download https://www.kaggle.com/datasets/{HANDLE} in a browser and "
            "run `ferbench prepare source=THE_ZIP`"
        )
    try:
        import kagglehub
    except ModuleNotFoundError:
        raise UserError(
            'source=kaggle: kagglehub is not installed; expected pip install "ferbench[kaggle]"'
        ) from None
    from kagglehub.exceptions import KaggleApiHTTPError
    from requests import RequestException

    try:
        return Path(kagglehub.dataset_download(HANDLE))
    except (KaggleApiHTTPError, RequestException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"source=kaggle: the download failed ({reason})") from None


def _has_token() -> bool:
    names = ("KAGGLE_API_TOKEN", "KAGGLE_KEY")
    if any(os.environ.get(name) for name in names):
        return True
    folder = Path(os.environ.get("KAGGLE_CONFIG_DIR", Path.home() / ".kaggle"))
    return any((folder / name).exists() for name in ("kaggle.json", "access_token"))
