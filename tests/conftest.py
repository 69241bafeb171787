"""What every test may use: the real archive where it is at hand, and the marker for GPUs."""

from pathlib import Path

import pytest
import torch

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
