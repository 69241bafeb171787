"""What every test may use: the real archive where it is at hand, and the marker for GPUs."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported; processes that tests start too

import numpy as np
import pytest
import torch

import stylegan2_ada as sg
from ferbench.classes import CLASSES
from ferbench.gan import trained
from ferbench.metrics.classification import scores
from ferbench.results.rows import ClassifierRow, FidelityRow

ARCHIVE = Path(__file__).resolve().parents[2] / "shared/data/fer2013.zip"


torch.set_num_threads(1)  # small tensors: a second thread costs more than it gives


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="needs a CUDA device")
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def fer2013_zip() -> Path:
    """The FER2013 archive as users download it; its licence keeps it out of the repository."""
    if not ARCHIVE.exists():
        pytest.skip(f"the FER2013 archive is not at {ARCHIVE}")
    return ARCHIVE


@pytest.fixture(scope="session")
def make_generator() -> Callable[..., Path]:
    """make_generator(path, ...): a tiny untrained generator of 48 gray pixels in a file.

    classes: of its condition, () for none; res, channels: of its images; facts: further ones.
    """

    def make(
        path: Path,
        *,
        classes: Sequence[str] = CLASSES,
        res: int = 48,
        channels: int = 1,
        **facts: Any,
    ) -> Path:
        torch.manual_seed(0)
        sizes = {"img_resolution": res, "img_channels": channels, "c_dim": len(classes)}
        sizes |= {"channel_base": 64, "channel_max": 8}
        g = sg.Generator(sg.GeneratorConfig(**sizes, z_dim=8, w_dim=8, mapping_layers=2))
        for name, weight in g.named_parameters():
            if name.endswith("noise_strength"):
                torch.nn.init.constant_(weight, 0.2)
        d = sg.Discriminator(sg.DiscriminatorConfig(**sizes, mbstd_group=2, mapping_layers=1))
        path.parent.mkdir(parents=True, exist_ok=True)
        trained.save(path, g, d, {"classes": list(classes), "res": res, **facts})
        return path

    return make


@pytest.fixture(scope="session")
def make_row() -> Callable[..., ClassifierRow]:
    """make_row(column=value, ...): the row of a classifier, whole but for what may be empty."""
    rights = np.arange(70) % 7, np.eye(7, dtype=np.float32)[np.arange(70) % 5]
    numbers = scores(*rights)

    def make(**changes: Any) -> ClassifierRow:
        base = {
            "run": f"classify/x_s{changes.get('seed', 0)}",
            "command": "classify",
            "finished": "2026-01-31T12:00:00+00:00",
            "data": "real",
            "train_images": 28709,
            "synthetic_images": 0,
            "test_data": "fer2013",
            "test_split": "private",
            "selected_on": "public",
            "model": "cnn",
            "stem": "small",
            "input_px": 48,
            "pretrained": "none",
            "tune": "all",
            "tta": "flip",
            "parameters": 1_234_567,
            "seed": 0,
            "epochs": 60,
            "precision": "float32",
            "config_hash": "1a2b3c4d",
            "data_hash": "d1",
            "test_hash": "t1",
            "cell": "c1",
            "code_version": "0.1.0",
            "device": "cpu",
            "hardware": "an & old_machine",
            "torch": "2.5.1",
            "seconds": 12.5,
            **numbers,
        }
        return ClassifierRow(**{**base, **changes})

    return make


@pytest.fixture(scope="session")
def make_fidelity_row() -> Callable[..., FidelityRow]:
    """make_fidelity_row(column=value, ...): the row of a measured set."""

    def make(**changes: Any) -> FidelityRow:
        text = dict.fromkeys(
            (
                "data",
                "data_hash",
                "config_hash",
                "cell",
                "code_version",
                "device",
                "hardware",
                "torch",
                "precision",
                "set_hash",
                "reference",
                "features_name",
                "features_hash",
            ),
            "x",
        )
        count = dict.fromkeys(("set_images", "set_px", "reference_images", "floor_images"), 700)
        numbers = (
            "seconds",
            "fid",
            "fid_matched",
            "fid_floor",
            "fid_intra",
            "kid",
            "kid_deviation",
            "kid_floor",
            "kid_disgust",
            "js_distance",
            "js_floor",
            "precision_knn",
            "density",
            "recall_knn",
            "coverage",
            "diversity",
            "diversity_least",
            "inception_score",
        )
        base = {
            "run": "fidelity/y_1a2b3c4d",
            "command": "fidelity",
            "seed": 0,
            "features": "fer",
            "finished": "2026-02-01T12:00:00+00:00",
            "set_name": "y",
            **text,
            **count,
            **dict.fromkeys(numbers, 0.5),
        }
        return FidelityRow(**{**base, **changes})

    return make
