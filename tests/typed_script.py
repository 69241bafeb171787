"""What a user of `import ferbench` writes: checked by mypy (`make check`), and run by test_api."""

import numpy as np

import ferbench


def look(outputs: str, classifier: str, drawn: str) -> dict[str, float]:
    """Numbers of a trained classifier and of a set that was drawn, from their folders."""
    faces = ferbench.open_faces("toy", outputs=outputs, **{"data.toy.seed": 0})
    images, labels = faces.splits["private"].images, faces.splits["private"].labels
    probabilities: np.ndarray = ferbench.predict(classifier, images)
    hits: int = (probabilities.argmax(1) == labels).sum()
    try:
        bias: ferbench.MeasuredRun = ferbench.find_bias(set=drawn, data="toy", outputs=outputs)
    except ferbench.UserError as error:
        raise SystemExit(f"not measured: {error}") from None
    table = ferbench.read_results(outputs)
    named: dict[str, float] = {
        "accuracy": hits / len(labels),
        "best": float(table["accuracy"].max()),
        "ratio": bias.row["class_ratio"],
    }
    return named
