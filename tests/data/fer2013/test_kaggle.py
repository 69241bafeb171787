import sys
from types import ModuleType

import pytest

from ferbench.data.fer2013 import kaggle
from ferbench.errors import UserError


@pytest.fixture
def no_token(monkeypatch, tmp_path):
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))


def fake_kagglehub(monkeypatch, download):
    """kagglehub and what it raises, as far as ferbench uses them."""
    hub, errors, requests = (ModuleType(n) for n in ("kagglehub", "exceptions", "requests"))
    hub.dataset_download = download
    errors.KaggleApiHTTPError = type("KaggleApiHTTPError", (Exception,), {})
    requests.RequestException = type("RequestException", (OSError,), {})
    for name, module in (
        ("kagglehub", hub),
        ("kagglehub.exceptions", errors),
        ("requests", requests),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    return errors


@pytest.mark.usefixtures("no_token")
def test_without_a_token_one_line_says_where_to_get_the_archive():
    with pytest.raises(UserError, match=r"no Kaggle token.*kaggle.com/datasets.*prepare source="):
        kaggle.download()


@pytest.mark.usefixtures("no_token")
@pytest.mark.parametrize("file", ["kaggle.json", "access_token"])
def test_with_a_token_kagglehub_downloads_the_data_set(monkeypatch, tmp_path, file):
    (tmp_path / file).write_text("{}")
    fake_kagglehub(monkeypatch, lambda handle: f"/cache/{handle}")
    assert str(kaggle.download()) == "/cache/msambare/fer2013"


@pytest.mark.usefixtures("no_token")
def test_a_refused_download_is_one_line(monkeypatch):
    def refuse(handle):
        raise errors.KaggleApiHTTPError("403\nforbidden")

    monkeypatch.setenv("KAGGLE_API_TOKEN", "x")
    errors = fake_kagglehub(monkeypatch, refuse)
    with pytest.raises(UserError, match=r"^source=kaggle: the download failed \(403 forbidden\)$"):
        kaggle.download()


@pytest.mark.usefixtures("no_token")
def test_without_kagglehub_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "x")
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(UserError, match="pip install"):
        kaggle.download()
