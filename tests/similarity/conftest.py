"""Made photographs."""

import pytest

from ferbench.data.face_set import FaceSet
from made import photograph_set


@pytest.fixture(scope="session")
def faces() -> FaceSet:
    return photograph_set()
