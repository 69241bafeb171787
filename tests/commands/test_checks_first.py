"""What cannot work is refused before any work: no toy face is rendered, no folder is made."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench.commands import audit, audit_data, classify, fidelity, train_gan
from ferbench.data import named_sets, synthetic_set
from ferbench.errors import UserError


@pytest.fixture(autouse=True)
def _no_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens or renders the faces has begun to work."""

    def work(*_: Any, **__: Any) -> Any:
        raise AssertionError("the faces were opened before the check")

    monkeypatch.setattr(named_sets, "open_toy", work)
    monkeypatch.setattr(named_sets, "open_real", work)


@pytest.fixture
def small_set(outputs: Path) -> Path:
    """A synthetic set of 14 images."""
    folder = outputs / "synth" / "small"
    folder.mkdir(parents=True)
    labels = np.arange(14) % 7
    with synthetic_set.SetWriter(folder, 14, 48, resume=False) as writer:
        writer.append(np.zeros((14, 48, 48), np.uint8))
        writer.finish(labels, {"generator": {}})
    return folder


@pytest.mark.parametrize("command", ["classify", "train-gan"])
def test_a_logger_that_is_not_installed(
    command: str, make_job: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.delitem(sys.modules, "ferbench.runs.loggers.wandb_logger", raising=False)
    job = make_job(command, "data=toy", "logger=wandb")
    run = {"classify": classify.run, "train-gan": train_gan.run}[command]
    with pytest.raises(UserError, match="logger=wandb: the package wandb is not installed"):
        run(job)
    assert not (Path(job.outputs) / command).exists()


def test_a_set_that_is_too_small(make_job: Callable[..., Any], small_set: Path) -> None:
    job = make_job("audit", "data=toy", f"set={small_set}")
    with pytest.raises(UserError, match="14 images; an audit needs 100"):
        audit.run(job)
    job = make_job("fidelity", "data=toy", f"set={small_set}")
    with pytest.raises(UserError, match=r"too few images \(angry 2, "):
        fidelity.run(job)


def test_a_network_that_does_not_exist(make_job: Callable[..., Any]) -> None:
    words = ["data=toy", "model.width=null"]
    with pytest.raises(UserError, match="width=None: not a width of cnn"):
        classify.run(make_job("classify", *words))
    with pytest.raises(UserError, match="width=None: not a width of cnn"):
        audit_data.run(make_job("audit-data", *words))
