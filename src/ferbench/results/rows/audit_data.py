"""Faults of real data sets: the table of `ferbench audit-data`."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.results.columns import (
    HigherShare,
    Lower,
    LowerCount,
    LowerShare,
    NeutralCount,
    NeutralShare,
)
from ferbench.results.kind import Kind
from ferbench.results.row import RunRow


@dataclass(frozen=True, kw_only=True)
class DataAuditRow(RunRow):
    """The faults of a labeled set of real faces."""

    # the set
    set_name: str
    set_hash: str
    set_images: int
    # copies
    identical_groups: LowerCount
    redundant_copies: LowerCount
    groups_across_splits: LowerCount
    conflicting_groups: LowerCount
    public_in_train: LowerCount
    private_in_train: LowerCount
    private_in_public: LowerCount
    near_groups: LowerCount
    mirrored_groups: LowerCount
    enlarged_copies: LowerCount | None = None
    # other faults
    blank_images: LowerCount
    class_ratio: Lower
    split_difference: Lower
    # labels
    folds: NeutralCount | None = None
    fold_model: str | None = None
    fold_accuracy: HigherShare | None = None
    disputed_images: LowerCount | None = None
    label_noise: LowerShare | None = None
    label_noise_low: LowerShare | None = None
    label_noise_high: LowerShare | None = None
    control_flips: NeutralShare | None = None
    control_recall: HigherShare | None = None
    control_precision: HigherShare | None = None


KIND = Kind(
    name="audit-data",
    record=DataAuditRow,
    commands=("audit-data",),
    file="audit-data.csv",
    title="faults of the {data} faces",
    default_columns=(
        "redundant_copies",
        "conflicting_groups",
        "public_in_train",
        "private_in_train",
        "blank_images",
        "fold_accuracy",
        "label_noise",
        "disputed_images",
        "control_recall",
        "control_precision",
    ),
    separate_by=("data",),
    group_by=("cell", "set_hash"),
    cell_columns=("set_name", "set_images"),
    run_columns=("run", "set_name", "seed"),
    extra_columns=("fold_model", "folds", "set_hash", "precision", "code_version", "cell"),
    sort_by="redundant_copies",
)
