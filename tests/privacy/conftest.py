"""Real images of made photographs, and a set of strangers."""

import numpy as np
import pytest

from ferbench.data.face_set import FaceSet
from ferbench.privacy.real import Real, partners
from ferbench.similarity import views
from made import photograph_set, photographs


@pytest.fixture(scope="session")
def faces() -> FaceSet:
    return photograph_set()


@pytest.fixture(scope="session")
def real(faces: FaceSet) -> Real:
    """The real images in two spaces, with a third that stands for a judge's features."""
    encoders = {
        "pixels": views.pixels,
        "gradients": views.gradients,
        "judge": lambda images: views.unit(views.pixels(images)[:, ::3]),
    }
    rng = np.random.default_rng(0)
    return Real(faces, partners(faces), encoders, drop=0.9, cells=3, rng=rng)


@pytest.fixture(scope="session")
def strangers() -> np.ndarray:
    """200 photographs that are nobody's copies."""
    return photographs(200, 999)
