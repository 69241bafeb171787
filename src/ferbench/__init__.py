"""ferbench: experiments with synthetic faces for facial expression recognition.

From Python one trains, draws and measures as the commands do.

Every value stands in conf/, as for the command line. A keyword is a key of the command; one with
dots is given as `**{"train.epochs": 2}`, and what is left out has the value of conf/. A run has the
same folder as from the command line, so a call that was made before returns at once, and one that
was stopped (KeyboardInterrupt) goes on when it is made again. A mistake raises `UserError` with the
line that the command line would print.

Values are text, numbers, True, False, None, a path, or what one of these functions returned, which
stands for the place where it is: `measure_fidelity(set=draw_set(n=700), data="toy")`.

What is heavy is imported by the function that needs it, so that `import ferbench` is quick.
"""

from ferbench.api.classifiers import TrainedRun, predict, train
from ferbench.api.faces import draw, draw_set, load_generator, open_faces
from ferbench.api.measurements import (
    MeasuredRun,
    audit_privacy,
    find_bias,
    measure_fidelity,
    read_results,
)
from ferbench.classes import CLASSES
from ferbench.errors import UserError
from ferbench.version import __version__

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
