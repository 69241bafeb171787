"""How hard the toy faces are: a linear model on pixels against a small convolutional network.

    python scripts/toy_difficulty.py [--train 8400] [--test 2100] [--epochs 10] [--workers 2]

Prints the time to draw the faces and the accuracy of both on other faces.
"""

import argparse
import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from ferbench.classes import CLASSES
from ferbench.data.face_set import Faces
from ferbench.data.toy_faces import toy_splits


def linear_accuracy(train: Faces, test: Faces) -> dict[str, float]:
    """Best test accuracy over the strengths of regularization, which favors the linear models."""
    x, x_test = (faces.images.reshape(len(faces), -1) / 255.0 for faces in (train, test))
    models = {"logistic C={:g}": [LogisticRegression(C=c, max_iter=300) for c in (3e-5, 1e-4, 1e-3)]}
    models["ridge alpha={:g}"] = [RidgeClassifier(alpha=a) for a in (1e3, 1e4, 1e5)]
    out = {}
    for name, candidates in models.items():
        for model in candidates:
            fitted = make_pipeline(StandardScaler(), model).fit(x, train.labels)
            strength = getattr(model, "C", None) or model.alpha
            out[name.format(strength)] = float(fitted.score(x_test, test.labels))
    return out


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
        return torch.cat([model(part).argmax(1) for part in x_test.split(256)]).numpy()


def main() -> None:
    """Draw, fit both, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("train", 8400), ("test", 2100), ("epochs", 10), ("workers", 2), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    start = time.perf_counter()
    splits = toy_splits(options.train, 0, options.test, seed=options.seed, workers=options.workers)
    train, test = splits["train"], splits["private"]
    seconds = time.perf_counter() - start
    print(f"{len(train) + len(test)} faces, {options.workers} workers: {seconds:.1f} s")
    for name, accuracy in linear_accuracy(train, test).items():
        print(f"linear, {name}: {accuracy:.3f}")
    start = time.perf_counter()
    predicted = cnn_predictions(train, test, options.epochs)
    seconds = time.perf_counter() - start
    print(f"CNN, {options.epochs} epochs: {(predicted == test.labels).mean():.3f} ({seconds:.0f} s)")
    print("rows true, columns predicted:", ", ".join(CLASSES))
    print(confusion_matrix(test.labels, predicted))


if __name__ == "__main__":
    main()
