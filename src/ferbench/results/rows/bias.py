"""Bias of sets of images and of classifiers: the table of `ferbench bias`."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.results.columns import Lower, LowerShare, Neutral, NeutralShare
from ferbench.results.kind import Kind
from ferbench.results.row import RunRow


@dataclass(frozen=True, kw_only=True)
class BiasRow(RunRow):
    """Bias of one set of images, or of a classifier on its test split."""

    # the examined images
    set_name: str
    set_hash: str
    set_images: int
    classifier: str | None = None
    attributes_hash: str | None = None
    # the images
    class_ratio: Lower
    class_difference: LowerShare
    attribute_js: Lower | None = None
    attribute_js_floor: Neutral | None = None
    attribute_js_of: str | None = None
    association: Lower | None = None
    association_of: str | None = None
    amplification: Lower | None = None
    amplification_low: Neutral | None = None
    amplification_high: Neutral | None = None
    amplification_of: str | None = None
    # the classifier
    accuracy_gap: LowerShare | None = None
    accuracy_gap_low: NeutralShare | None = None
    accuracy_gap_high: NeutralShare | None = None
    accuracy_gap_chance: NeutralShare | None = None
    accuracy_gap_of: str | None = None
    recall_gap: LowerShare | None = None
    recall_gap_low: NeutralShare | None = None
    recall_gap_high: NeutralShare | None = None
    recall_gap_chance: NeutralShare | None = None
    recall_gap_of: str | None = None
    odds_gap: LowerShare | None = None
    odds_gap_low: NeutralShare | None = None
    odds_gap_high: NeutralShare | None = None
    odds_gap_chance: NeutralShare | None = None
    odds_gap_of: str | None = None


KIND = Kind(
    name="bias",
    record=BiasRow,
    commands=("bias",),
    file="bias.csv",
    title="bias, against the Training split of {data} ({data_hash:.8})",
    default_columns=(
        "class_difference",
        "attribute_js",
        "attribute_js_floor",
        "association",
        "amplification",
        "accuracy_gap",
        "accuracy_gap_chance",
        "recall_gap",
        "recall_gap_chance",
        "odds_gap",
    ),
    separate_by=("data_hash",),
    group_by=("cell", "set_hash"),
    cell_columns=("set_name", "set_images", "classifier"),
    run_columns=("run", "set_name", "seed"),
    extra_columns=("attributes_hash", "precision", "code_version", "cell"),
    sort_by="class_difference",
)
