"""Sets of images beside real ones: the table of `ferbench fidelity`."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.results.columns import Higher, HigherShare, Lower, Neutral, NeutralShare
from ferbench.results.kind import Kind
from ferbench.results.row import RunRow


@dataclass(frozen=True, kw_only=True)
class FidelityRow(RunRow):
    """One set of images compared with a real one."""

    # the set
    set_name: str
    set_hash: str
    set_images: int
    set_px: int
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
    fid: Lower
    fid_matched: Lower
    fid_floor: Neutral
    fid_intra: Lower
    kid: Lower
    kid_deviation: Neutral
    kid_floor: Neutral
    kid_disgust: Lower
    js_distance: Lower
    js_floor: Neutral
    precision_knn: HigherShare
    density: Higher
    # as varied as they are
    recall_knn: HigherShare
    coverage: HigherShare
    diversity: Higher
    diversity_least: Higher
    inception_score: Higher
    path_length: Lower | None = None
    # class accuracy: share of images that a judge assigns to their label
    gate_accuracy: HigherShare | None = None
    gate_floor: NeutralShare | None = None
    gate_angry: HigherShare | None = None
    gate_disgust: HigherShare | None = None
    gate_fear: HigherShare | None = None
    gate_happy: HigherShare | None = None
    gate_sad: HigherShare | None = None
    gate_surprise: HigherShare | None = None
    gate_neutral: HigherShare | None = None
    # what a classifier learned from it
    trained_accuracy: HigherShare | None = None


KIND = Kind(
    name="fidelity",
    record=FidelityRow,
    commands=("fidelity",),
    file="fidelity.csv",
    title="fidelity, features of {features_name} ({features_hash:.8}), against {reference}",
    default_columns=(
        "fid",
        "fid_matched",
        "fid_floor",
        "kid",
        "precision_knn",
        "recall_knn",
        "coverage",
        "diversity",
        "gate_accuracy",
    ),
    separate_by=("features", "features_hash", "reference", "data_hash"),
    group_by=("cell", "set_hash"),
    cell_columns=("set_name", "set_images", "kimg"),
    run_columns=("run", "set_name", "seed"),
    extra_columns=("generator", "floor_images", "precision", "code_version", "cell"),
    sort_by="fid",
)
