"""Classifier networks: `build` makes any of `MODELS` as a FaceClassifier."""

from ferbench.models.catalog import MODELS, build
from ferbench.models.wrapper import FaceClassifier

__all__ = ["MODELS", "FaceClassifier", "build"]
