"""What a user of `import ferbench` writes: checked by mypy (`make check`), and run by test_api."""

import numpy as np

import ferbench


def look(
    outputs: str, run: ferbench.TrainedRun, drawn: str, toy: dict[str, int]
) -> dict[str, float]:
    """Numbers of a trained classifier, and of a set that was drawn, from its folder."""
    faces = ferbench.open_faces("toy", outputs=outputs, **toy)
    images, labels = faces.splits["private"].images, faces.splits["private"].labels
    probabilities: np.ndarray = ferbench.predict(run, images)
    hits = int((probabilities.argmax(1) == labels).sum())
    try:
        bias: ferbench.MeasuredRun = ferbench.find_bias(
            set=drawn, data="toy", outputs=outputs, bootstrap=10, **toy
        )
    except ferbench.UserError as error:
        raise SystemExit(f"not measured: {error}") from None
    best = ferbench.read_results(outputs)["accuracy"].max()
    return {
        "accuracy": hits / len(labels),
        "best": float(best),
        "class_ratio": bias.row["class_ratio"],
    }
