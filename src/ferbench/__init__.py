"""ferbench: what synthetic faces are worth when a machine learns facial expressions."""

from ferbench.api.classifiers import TrainedRun, predict, train
from ferbench.api.faces import draw, draw_set, load_generator, open_faces
from ferbench.api.measurements import (
    MeasuredRun,
    audit_privacy,
    find_bias,
    measure_fidelity,
    read_results,
)
from ferbench.api.version import __version__
from ferbench.classes import CLASSES
from ferbench.errors import UserError

__all__ = [
    "CLASSES",
    "MeasuredRun",
    "TrainedRun",
    "UserError",
    "__version__",
    "audit_privacy",
    "draw",
    "draw_set",
    "find_bias",
    "load_generator",
    "measure_fidelity",
    "open_faces",
    "predict",
    "read_results",
    "train",
]
