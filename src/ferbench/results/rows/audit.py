"""Privacy of sets of images: the table of `ferbench audit`."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.results.columns import Higher, HigherShare, Lower, LowerShare
from ferbench.results.kind import Kind
from ferbench.results.row import RunRow


@dataclass(frozen=True, kw_only=True)
class AuditRow(RunRow):
    """Privacy leakage: what one set of images reveals of training images."""

    # the set
    set_name: str
    set_hash: str
    set_images: int
    set_px: int
    generator: str | None = None
    kimg: float | None = None
    # what it was compared with, and by which classifier
    members: int
    held_out: int
    judge_name: str | None = None
    judge_hash: str | None = None
    # the findings
    verdict: str
    flags: int
    void_tests: int
    detection_limit: LowerShare | None = None
    identical_copies: int
    near_copies: int
    closer_to_training: LowerShare
    authenticity: HigherShare
    ct_statistic: Higher | None = None
    membership_auc: Lower
    membership_auc_low: Lower | None = None
    membership_auc_high: Lower | None = None
    membership_tpr_at_1fpr: LowerShare
    membership_auc_disgust: Lower | None = None
    discriminator_auc: Lower | None = None
    discriminator_tpr_at_1fpr: LowerShare | None = None
    inversion_auc: Lower | None = None
    inversion_tpr_at_1fpr: LowerShare | None = None


KIND = Kind(
    name="audit",
    record=AuditRow,
    commands=("audit",),
    file="audit.csv",
    title="audit against the Training split of {data} ({data_hash:.8})",
    default_columns=(
        "flags",
        "identical_copies",
        "near_copies",
        "membership_auc",
        "membership_tpr_at_1fpr",
        "discriminator_auc",
        "closer_to_training",
        "authenticity",
        "detection_limit",
    ),
    separate_by=("data_hash",),
    group_by=("cell", "set_hash"),
    cell_columns=("set_name", "set_images", "verdict"),
    run_columns=("run", "set_name", "verdict"),
    extra_columns=("generator", "judge_hash", "precision", "code_version", "cell"),
    sort_by="flags",
)
