"""What every test may use: the real archive where it is at hand, and the marker for GPUs."""

import os
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported; processes that tests start too

import pytest
import torch

import made
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
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """once(name, make): the folder that `make` fills, once in a run of the tests; see made.py."""
    return lambda name, make: made.once(tmp_path_factory.getbasetemp(), name, make)


@pytest.fixture(scope="session")
def make_generator() -> Callable[..., Path]:
    """make_generator(path, ...): a tiny untrained generator in a file."""
    return made.generator_file


@pytest.fixture(scope="session")
def make_row() -> Callable[..., ClassifierRow]:
    """make_row(column=value, ...): the row of a classifier."""
    return made.classifier_row


@pytest.fixture(scope="session")
def make_fidelity_row() -> Callable[..., FidelityRow]:
    """make_fidelity_row(column=value, ...): the row of a measured set."""
    return made.fidelity_row
