"""Inception as torch-fidelity has it, with weights made here: nothing is downloaded."""

from importlib.metadata import version

import numpy as np
import pytest
import torch

from ferbench.errors import UserError
from ferbench.fidelity import inception

CPU = torch.device("cpu")
library = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of the right shapes, small random numbers: about 100 MB."""
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    kind = library.FeatureExtractorInceptionV3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "load_state_dict", lambda self, state: None)
        patch.setattr(library, "load_state_dict_from_url", lambda url, progress: {})
        state = kind("x", ["2048"]).state_dict()
    generator = torch.Generator().manual_seed(0)
    for name, value in state.items():
        if name.endswith("weight") and value.ndim > 1:
            fan_in = value[0].numel()
            state[name] = torch.randn(value.shape, generator=generator) / fan_in**0.5
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def eyes(weights):
    return inception.load(weights, CPU)


def test_what_it_sees_is_what_the_library_sees(eyes, weights):
    """Gray in all three channels, features of 2,048 and logits of 1,008, each image by itself."""
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    seen = eyes.describe(images, batch=2)
    extractor = library.FeatureExtractorInceptionV3(
        "x", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(weights)
    ).eval()
    rgb = torch.from_numpy(images)[:, None].repeat(1, 3, 1, 1)
    with torch.no_grad():
        features, logits = extractor(rgb)
    np.testing.assert_allclose(seen.features, features.numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(seen.logits, logits.numpy(), rtol=1e-3, atol=1e-3)
    assert (seen.features.shape, seen.logits.shape) == ((3, 2048), (3, 1008))
    assert len(eyes.hash) == 64
    assert eyes.name == f"inception of torch-fidelity {version('torch-fidelity')}"


def test_other_weights_are_refused(tmp_path):
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"weights=.*w.pth: not those of Inception-v3"):
        inception.load(tmp_path / "w.pth", CPU)
    with pytest.raises(UserError, match="no such file"):
        inception.load(tmp_path / "none.pth", CPU)


class Hostile:
    """Unpickling it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_nothing_in_a_file_of_weights_is_run(tmp_path):
    """The library itself would: it unpickles whatever the file asks for."""
    torch.save({"fc.weight": Hostile(tmp_path / "written")}, tmp_path / "w.pth")
    with pytest.raises(UserError, match="with something else than tensors"):
        inception.load(tmp_path / "w.pth", CPU)
    assert not (tmp_path / "written").exists()


def test_without_weights_and_network_one_line_says_what_to_do(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(
        UserError,
        match=r"cannot be downloaded \(Network is unreachable\); "
        r"weights=PATH .* features=fer works offline",
    ):
        inception.load(None, CPU)


def test_weights_in_torchs_cache_are_used(tmp_path, monkeypatch, weights):
    name = library.URL_INCEPTION_V3.rpartition("/")[2]
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / name).symlink_to(weights)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert len(inception.load(None, CPU).hash) == 64


def test_without_the_library_one_line_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch_fidelity", None)
    with pytest.raises(UserError, match=r"pip install 'ferbench\[fidelity\]'"):
        inception.load(None, CPU)
