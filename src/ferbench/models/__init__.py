"""Classifier networks: `build` makes any of `MODELS` as a FaceClassifier."""

from ferbench.models.catalog import MODELS, NetworkOptions, build
from ferbench.models.wrapper import FaceClassifier

__all__ = ["MODELS", "FaceClassifier", "NetworkOptions", "build"]
