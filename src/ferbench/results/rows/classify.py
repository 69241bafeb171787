"""Classifiers on test splits: the table of `ferbench classify` and `ferbench evaluate`."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.results.columns import HigherShare, LowerShare, Nats
from ferbench.results.kind import Kind
from ferbench.results.row import RunRow


@dataclass(frozen=True, kw_only=True)
class ClassifierRow(RunRow):
    """One classifier scored on one test split."""

    # what it learned from, and what it was tested on
    train_images: int
    synthetic_images: int
    synthetic_px: int | None = None
    test_data: str
    test_split: str
    test_hash: str
    n_test: int
    n_test_dedup: int | None = None
    selected_on: str
    # the model and its training
    model: str
    stem: str
    input_px: int
    pretrained: str
    tune: str
    recipe: str | None = None
    parameters: int
    epochs: int
    best_epoch: int | None = None
    tta: str
    images_per_second: float | None = None
    # the scores
    accuracy: HigherShare
    accuracy_low: HigherShare
    accuracy_high: HigherShare
    accuracy_dedup: HigherShare | None = None
    balanced_accuracy: HigherShare
    macro_precision: HigherShare
    macro_recall: HigherShare
    macro_f1: HigherShare
    auroc: HigherShare | None = None
    average_precision: HigherShare | None = None
    ece: LowerShare
    nll: Nats
    recall_angry: HigherShare | None = None
    recall_disgust: HigherShare | None = None
    recall_fear: HigherShare | None = None
    recall_happy: HigherShare | None = None
    recall_sad: HigherShare | None = None
    recall_surprise: HigherShare | None = None
    recall_neutral: HigherShare | None = None


KIND = Kind(
    name="classify",
    record=ClassifierRow,
    commands=("classify", "evaluate"),
    file="metrics.csv",
    title="{test_data}{known}, {test_split} split, {n_test:.0f} images",
    default_columns=("accuracy", "accuracy_dedup", "balanced_accuracy", "macro_f1", "auroc", "ece"),
    separate_by=("test_data", "test_split", "test_hash"),
    group_by=("cell", "data_hash", "tta"),
    cell_columns=("model", "recipe", "data", "train_images"),
    run_columns=("run", "data", "seed"),
    extra_columns=(
        "synthetic_images",
        "selected_on",
        "stem",
        "input_px",
        "pretrained",
        "tune",
        "epochs",
        "precision",
        "tta",
        "code_version",
        "cell",
        "data_hash",
    ),
    sort_by="accuracy",
)
