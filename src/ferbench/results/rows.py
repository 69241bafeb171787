"""Rows of the common table: their columns and types; row_text.py writes and reads them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, get_args, get_type_hints


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """What every row says of its run; docs/metrics.md defines every column.

    None is an empty cell: not known or not defined. A column added later must be able to be empty,
    so that older runs can still be read.
    Raises ValueError if a value has the wrong type, is not finite, or is not one line of text.
    """

    run: str  # its folder below outputs/, with forward slashes
    command: str
    finished: str  # ISO 8601 with the offset of UTC
    seed: int
    # what it takes to do it again
    data: str
    data_hash: str
    config_hash: str
    cell: str
    code_version: str
    device: str
    hardware: str
    torch: str
    precision: str
    seconds: float

    def __post_init__(self) -> None:
        """Refuse what could not be read back."""
        for column, value in vars(self).items():
            _check_cell(column, value)
        if moment(self.finished).utcoffset() != timedelta(0):
            raise ValueError(f"finished={self.finished}: not in UTC")


@dataclass(frozen=True, kw_only=True)
class Row(RunRow):
    """One classifier scored on one test split: the row of `classify` and `evaluate`."""

    # what it learned from, and what it was tested on
    train_images: int
    synthetic_images: int
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
    parameters: int
    epochs: int
    best_epoch: int | None = None
    tta: str
    images_per_second: float | None = None
    # the scores
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    accuracy_dedup: float | None = None
    balanced_accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    auroc: float | None = None
    average_precision: float | None = None
    ece: float
    nll: float
    recall_angry: float | None = None
    recall_disgust: float | None = None
    recall_fear: float | None = None
    recall_happy: float | None = None
    recall_sad: float | None = None
    recall_surprise: float | None = None
    recall_neutral: float | None = None


@dataclass(frozen=True, kw_only=True)
class FidelityRow(RunRow):
    """One set of images compared with a real one: the row of `fidelity`."""

    # the set
    set_name: str
    set_hash: str
    set_images: int
    generator: str | None = None
    kimg: float | None = None
    # what it was compared with, and how
    reference: str
    reference_images: int
    features: str
    features_name: str
    features_hash: str
    floor_images: int
    # near the real images
    fid: float
    fid_matched: float
    fid_floor: float
    fid_intra: float
    kid: float
    kid_deviation: float
    kid_floor: float
    kid_disgust: float
    js_distance: float | None = None
    js_floor: float | None = None
    precision_knn: float
    density: float
    # as varied as they are
    recall_knn: float
    coverage: float
    diversity: float
    diversity_least: float
    inception_score: float
    path_length: float | None = None
    # of the classes that they are said to be of
    gate_accuracy: float | None = None
    gate_floor: float | None = None
    gate_angry: float | None = None
    gate_disgust: float | None = None
    gate_fear: float | None = None
    gate_happy: float | None = None
    gate_sad: float | None = None
    gate_surprise: float | None = None
    gate_neutral: float | None = None
    # what a classifier learned from it
    trained_accuracy: float | None = None


@dataclass(frozen=True, kw_only=True)
class AuditRow(RunRow):
    """What one set of images gives away of training images: the row of `audit`."""

    # the set
    set_name: str
    set_hash: str
    set_images: int
    generator: str | None = None
    kimg: float | None = None
    # what it was compared with, and who looked
    members: int
    held_out: int
    judge_name: str | None = None
    judge_hash: str | None = None
    # what was found
    verdict: str
    flags: int
    void_tests: int
    detection_limit: float | None = None
    identical_copies: int
    near_copies: int
    closer_to_training: float
    authenticity: float
    ct_statistic: float | None = None
    membership_auc: float
    membership_auc_low: float | None = None
    membership_auc_high: float | None = None
    membership_tpr_at_1fpr: float
    membership_auc_disgust: float | None = None
    discriminator_auc: float | None = None
    discriminator_tpr_at_1fpr: float | None = None
    inversion_auc: float | None = None
    inversion_tpr_at_1fpr: float | None = None


@dataclass(frozen=True, kw_only=True)
class DataAuditRow(RunRow):
    """The faults of a labeled set of real faces: the row of `audit-data`."""

    # the set
    set_name: str
    set_hash: str
    set_images: int
    # copies
    identical_groups: int
    redundant_copies: int
    groups_across_splits: int
    conflicting_groups: int
    public_in_train: int
    private_in_train: int
    private_in_public: int
    near_groups: int
    mirrored_groups: int
    enlarged_copies: int | None = None
    # other faults
    blank_images: int
    class_ratio: float
    split_difference: float
    # labels
    folds: int | None = None
    fold_model: str | None = None
    fold_accuracy: float | None = None
    disputed_images: int | None = None
    label_noise: float | None = None
    label_noise_low: float | None = None
    label_noise_high: float | None = None
    control_flips: float | None = None
    control_recall: float | None = None
    control_precision: float | None = None


@dataclass(frozen=True, kw_only=True)
class BiasRow(RunRow):
    """Bias of one set of images, or of a classifier on its test split: the row of `bias`."""

    # what was looked at
    set_name: str
    set_hash: str
    set_images: int
    classifier: str | None = None
    attributes_hash: str | None = None
    # the images
    class_ratio: float
    class_difference: float
    attribute_js: float | None = None
    attribute_js_floor: float | None = None
    attribute_js_of: str | None = None
    association: float | None = None
    association_of: str | None = None
    amplification: float | None = None
    amplification_low: float | None = None
    amplification_high: float | None = None
    amplification_of: str | None = None
    # the classifier
    accuracy_gap: float | None = None
    accuracy_gap_low: float | None = None
    accuracy_gap_high: float | None = None
    accuracy_gap_chance: float | None = None
    accuracy_gap_of: str | None = None
    recall_gap: float | None = None
    recall_gap_low: float | None = None
    recall_gap_high: float | None = None
    recall_gap_chance: float | None = None
    recall_gap_of: str | None = None
    odds_gap: float | None = None
    odds_gap_low: float | None = None
    odds_gap_high: float | None = None
    odds_gap_chance: float | None = None
    odds_gap_of: str | None = None


# Which row a command writes. A command of another kind adds its class here; its columns follow.
ROWS: dict[str, type[RunRow]] = {
    "classify": Row,
    "evaluate": Row,
    "fidelity": FidelityRow,
    "audit": AuditRow,
    "audit-data": DataAuditRow,
    "bias": BiasRow,
}


def columns_of(kind: type[RunRow]) -> tuple[str, ...]:
    """The columns that a kind of row has, in the table's order."""
    return tuple(field.name for field in fields(kind))


_HINTS = {name: hint for kind in ROWS.values() for name, hint in get_type_hints(kind).items()}
COLUMNS = tuple(_HINTS)  # of the table: those of all kinds
KINDS: dict[str, type] = {name: (get_args(_HINTS[name]) or (_HINTS[name],))[0] for name in COLUMNS}
OPTIONAL = frozenset(name for name in COLUMNS if type(None) in get_args(_HINTS[name]))
SCORES = columns_of(Row)[columns_of(Row).index("accuracy") :]


def moment(text: str) -> datetime:
    """An ISO 8601 time; Python 3.10 knows no Z for UTC, and fractions of 3 or 6 digits only."""
    text = re.sub(r"\.\d+", lambda fraction: f"{fraction[0]:0<7.7}", text)
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _check_cell(column: str, value: Any) -> None:
    """Raise ValueError unless the value has its column's type and reads back as written."""
    kind = KINDS[column]
    if value is None and column in OPTIONAL:
        return
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole if kind is int else isinstance(value, kind) or (kind is float and whole)):
        raise ValueError(f"{column}={value!r}: is {type(value).__name__}, not {kind.__name__}")
    if isinstance(value, str) and (not value or not value.isprintable()):
        raise ValueError(f"{column}={value!r}: not one line of printable text")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{column}={value}: not finite")
