"""Curated sets: the table of `ferbench curate`."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.results.columns import HigherShare, NeutralShare
from ferbench.results.kind import Kind
from ferbench.results.row import RunRow


@dataclass(frozen=True, kw_only=True)
class CurateRow(RunRow):
    """One set chosen from a pool of synthetic images."""

    # the set
    set_name: str
    set_hash: str
    set_images: int
    generator: str | None = None
    kimg: float | None = None
    # the pool, and who judged it
    pool_name: str
    pool_hash: str
    pool_images: int
    pool_px: int
    balance: str
    judge_name: str
    judge_hash: str
    gate_judge_name: str
    gate_judge_hash: str
    # what each step took out
    mismatched_images: int | None = None
    unsure_images: int | None = None
    training_copies: int | None = None
    near_duplicates: int | None = None
    missing_images: int
    # what is left
    cell_likeness: HigherShare | None = None
    class_accuracy: HigherShare
    class_accuracy_least: HigherShare
    pool_class_accuracy: NeutralShare


KIND = Kind(
    name="curate",
    record=CurateRow,
    commands=("curate",),
    file="curate.csv",
    title="curated sets, class accuracy by {gate_judge_name} ({gate_judge_hash:.8})",
    default_columns=(
        "pool_images",
        "mismatched_images",
        "unsure_images",
        "training_copies",
        "near_duplicates",
        "pool_class_accuracy",
        "class_accuracy",
        "cell_likeness",
    ),
    separate_by=("data_hash", "gate_judge_name", "gate_judge_hash"),
    group_by=("cell", "pool_hash"),
    cell_columns=("pool_name", "set_images"),
    run_columns=("run", "set_images", "seed"),
    extra_columns=("balance", "judge_name", "generator", "precision", "code_version", "cell"),
    sort_by="class_accuracy",
)
