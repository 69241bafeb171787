"""Networks as conf/model/ has them, and no way to a network of computers."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from ferbench.models import FaceClassifier, NetworkOptions, build

CONF = Path(__file__).resolve().parents[2] / "conf/model"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty weights folder, and no host that can be found."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise socket.gaierror("tests have no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def make() -> Callable[..., FaceClassifier]:
    """make(file, key=value, ...): `build` with the values of conf/model/ and changes, seeded."""

    def make_one(file: str, *, classes: int = 7, **changes: Any) -> FaceClassifier:
        torch.manual_seed(0)
        values = yaml.safe_load((CONF / f"{file}.yaml").read_text())
        return build(NetworkOptions(**(values | changes)), classes=classes)

    return make_one


@pytest.fixture(scope="session")
def faces() -> torch.Tensor:
    """Two smooth random images [2, 1, 48, 48] in [-1, 1]."""
    coarse = torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (48, 48), mode="bilinear")


@pytest.fixture(scope="session")
def settled(faces: torch.Tensor) -> Callable[[FaceClassifier], FaceClassifier]:
    """settled(classifier): in evaluation mode, its running statistics those of `faces`.

    Untrained statistics let the signal die out in deep networks, and with it what a test sees.
    """

    def settle(classifier: FaceClassifier) -> FaceClassifier:
        norms = [m for m in classifier.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        momentum = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 1.0
        with torch.no_grad():
            classifier.train()(faces)
        for norm, value in zip(norms, momentum, strict=True):
            norm.momentum = value
        return classifier.eval()

    return settle
