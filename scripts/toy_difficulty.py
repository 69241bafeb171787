"""How hard the toy faces are: a linear model on pixels against a small convolutional network.

python scripts/toy_difficulty.py [--train 8400] [--test 2100] [--epochs 10] [--workers 2]

Prints the time to draw the faces and the accuracies on faces of other people.
"""

import argparse
import os
import time
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from ferbench.classes import CLASSES
from ferbench.data.face_set import Faces
from ferbench.data.toy.faces import toy_splits


def linear_accuracies(train: Faces, test: Faces) -> dict[str, float]:
    """Test accuracy of linear models on standardized pixels, over strengths of regularization.

    Taking the best of them on the test faces favors the linear models.
    """
    x, x_test = (faces.images.reshape(len(faces), -1) / 255.0 for faces in (train, test))
    models: dict[str, ClassifierMixin] = {
        f"ridge alpha={alpha:g}": RidgeClassifier(alpha=alpha) for alpha in (300, 3000, 30000)
    }
    for c in (1e-4, 1e-3, 1e-2):
        models[f"logistic C={c:g}"] = LogisticRegression(C=c, max_iter=200)
    return {
        name: make_pipeline(StandardScaler(), model).fit(x, train.labels).score(x_test, test.labels)
        for name, model in models.items()
    }


def small_cnn() -> nn.Module:
    """Three blocks of 32, 64 and 128 channels: [N, 1, 48, 48] to [N, 7] logits."""
    blocks: list[nn.Module] = []
    for channels_in, channels in ((1, 32), (32, 64), (64, 128)):
        blocks += [nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)]
        blocks += [nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Dropout(0.4), nn.Linear(128 * 36, len(CLASSES)))


def cnn_predictions(train: Faces, test: Faces, epochs: int) -> np.ndarray:
    """[N] predicted classes after `epochs` epochs of AdamW at a one-cycle rate, no augmentation."""
    torch.manual_seed(0)
    x, x_test = (torch.tensor(f.images)[:, None].float() / 127.5 - 1 for f in (train, test))
    y, model = torch.tensor(train.labels), small_cnn()
    steps = epochs * (len(x) // 64)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for start in range(0, len(x) // 64 * 64, 64):
            rows = order[start : start + 64]
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        parts = [model(part).argmax(1) for part in x_test.split(256)]
    predicted: np.ndarray = torch.cat(parts).numpy()
    return predicted


def main() -> None:
    """Draw, fit both, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    defaults = {"train": 8400, "test": 2100, "epochs": 10, "workers": 2, "seed": 0}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} torch threads")

    start = time.perf_counter()
    splits = toy_splits(options.train, 0, options.test, options.seed, options.workers)
    seconds = time.perf_counter() - start
    train, test = splits["train"], splits["private"]
    used = getrusage(RUSAGE_CHILDREN if options.workers > 1 else RUSAGE_SELF)
    cpu_seconds = used.ru_utime + used.ru_stime
    print(
        f"{len(train)} + {len(test)} faces drawn in {seconds:.1f} s by {options.workers} workers,"
    )
    print(f"who used {cpu_seconds:.1f} s of processor time", flush=True)

    for name, accuracy in linear_accuracies(train, test).items():
        print(f"linear, {name}: {accuracy:.3f}", flush=True)
    predicted = cnn_predictions(train, test, options.epochs)
    print(f"CNN, {options.epochs} epochs: {(predicted == test.labels).mean():.3f}")
    print("rows true, columns predicted:", ", ".join(CLASSES))
    print(confusion_matrix(test.labels, predicted))


if __name__ == "__main__":
    main()
