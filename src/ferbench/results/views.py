"""How each kind of row is shown: its columns, what is never mixed, which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ferbench.report.grid import three_digits
from ferbench.results.rows import (
    COLUMNS,
    KINDS,
    SCORES,
    AuditRow,
    BiasRow,
    DataAuditRow,
    FidelityRow,
    Row,
    RunRow,
    columns_of,
)

NLL = "nll"


@dataclass(frozen=True)
class View:
    """One kind of row as a table.

    title: the heading above comparable rows, with columns of the first one in braces.
    shown: the scores in the table unless others are chosen. better: every score with the way that
    it improves, "higher", "lower" or "" (neither); scores are averaged over seeds. percent: the
    scores that are shares. apart: rows that differ in these are never compared. group: what an
    experiment's runs have in common besides. by_cell, by_run: columns that name a line, of means
    and of runs. telling: further ones, added where two lines would look the same. sort: the column
    that the lines go by.
    """

    row: type[RunRow]
    title: str
    shown: tuple[str, ...]
    better: dict[str, str]
    percent: frozenset[str]
    apart: tuple[str, ...]
    group: tuple[str, ...]
    by_cell: tuple[str, ...]
    by_run: tuple[str, ...]
    telling: tuple[str, ...]
    sort: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of its rows."""
        return columns_of(self.row)

    @property
    def numbers(self) -> list[str]:
        """The columns that hold numbers."""
        return [name for name in self.columns if KINDS[name] is not str]

    @property
    def texts(self) -> list[str]:
        """The others."""
        return [name for name in self.columns if KINDS[name] is str]

    def leading(self, grouped: bool) -> tuple[str, ...]:
        """The columns that name a line."""
        return self.by_cell if grouped else self.by_run

    def number(self, name: str, value: float) -> str:
        """Shares in percent, counts whole, the rest with three or four digits; value is no NaN."""
        if name in self.percent:
            return f"{100 * value:.1f}"
        if name == NLL:
            return f"{value:.3f}"
        if name in self.better:
            return three_digits(value)
        return f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"

    def heading(self, first: Mapping[Any, Any], *, known_by_hash: bool) -> str:
        """What the rows have in common, from the first of them; the hash where names are equal."""
        known = f" ({first['test_hash']:.8})" if known_by_hash and "test_hash" in first else ""
        return self.title.format(known=known, **first)


def _ways(names: tuple[str, ...], lower: set[str], neither: set[str]) -> dict[str, str]:
    return {
        name: "lower" if name in lower else "" if name in neither else "higher" for name in names
    }


_FIDELITY = FidelityRow.__annotations__
_VALUES = tuple(name for name in _FIDELITY if KINDS[name] is float and name != "kimg")
_AUDIT = columns_of(AuditRow)
_FINDINGS = tuple(name for name in _AUDIT[_AUDIT.index("verdict") :] if KINDS[name] is float)
_DATA = columns_of(DataAuditRow)
_FAULTS = _DATA[_DATA.index("identical_groups") :]
_BIAS = tuple(
    name for name in columns_of(BiasRow) if name in BiasRow.__annotations__ and KINDS[name] is float
)
_SHARES = ("precision_knn", "recall_knn", "coverage", "trained_accuracy")

# By the name that `kind=` has for it; the first that has rows is the one that CSV shows.
VIEWS: dict[str, View] = {
    "classifier": View(
        row=Row,
        title="{test_data}{known}, {test_split} split, {n_test:.0f} images",
        shown=("accuracy", "accuracy_dedup", "balanced_accuracy", "macro_f1", "auroc", "ece"),
        better=_ways(SCORES, {"ece", NLL}, set()),
        percent=frozenset(SCORES) - {NLL},
        apart=("test_data", "test_split", "test_hash"),
        group=("cell", "data_hash", "tta"),
        by_cell=("model", "data", "train_images"),
        by_run=("run", "data", "seed"),
        telling=(
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
        sort="accuracy",
    ),
    "fidelity": View(
        row=FidelityRow,
        title="fidelity, features of {features_name} ({features_hash:.8}), against {reference}",
        shown=(
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
        better=_ways(
            _VALUES,
            {"fid", "fid_matched", "fid_intra", "kid", "kid_disgust", "path_length"},
            {"fid_floor", "kid_deviation", "kid_floor", "gate_floor"},
        ),
        percent=frozenset(n for n in _VALUES if n.startswith("gate_") or n in _SHARES),
        apart=("features", "features_hash", "reference", "data_hash"),
        group=("cell", "set_hash"),
        by_cell=("set_name", "set_images", "kimg"),
        by_run=("run", "set_name", "seed"),
        telling=("generator", "floor_images", "precision", "code_version", "cell"),
        sort="fid",
    ),
    "audit": View(
        row=AuditRow,
        title="audit against the Training split of {data} ({data_hash:.8})",
        shown=(
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
        better=_ways(_FINDINGS, set(_FINDINGS) - {"authenticity", "ct_statistic"}, set()),
        percent=frozenset(
            {
                "membership_tpr_at_1fpr",
                "discriminator_tpr_at_1fpr",
                "inversion_tpr_at_1fpr",
                "closer_to_training",
                "authenticity",
                "detection_limit",
            }
        ),
        apart=("data_hash",),
        group=("cell", "set_hash"),
        by_cell=("set_name", "set_images", "verdict"),
        by_run=("run", "set_name", "verdict"),
        telling=("generator", "judge_hash", "precision", "code_version", "cell"),
        sort="flags",
    ),
    "data": View(
        row=DataAuditRow,
        title="faults of the {data} faces",
        shown=(
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
        better=_ways(
            tuple(name for name in _FAULTS if KINDS[name] is not str),
            set(_FAULTS),
            {"folds", "control_flips"},
        )
        | {name: "higher" for name in ("fold_accuracy", "control_recall", "control_precision")},
        percent=frozenset(
            {
                "fold_accuracy",
                "label_noise",
                "label_noise_low",
                "label_noise_high",
                "control_flips",
                "control_recall",
                "control_precision",
            }
        ),
        apart=("data",),
        group=("cell", "set_hash"),
        by_cell=("set_name", "set_images"),
        by_run=("run", "set_name", "seed"),
        telling=("fold_model", "folds", "set_hash", "precision", "code_version", "cell"),
        sort="redundant_copies",
    ),
    "bias": View(
        row=BiasRow,
        title="bias, against the Training split of {data} ({data_hash:.8})",
        shown=(
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
        better=_ways(
            _BIAS,
            set(_BIAS),
            {name for name in _BIAS if name.endswith(("_floor", "_chance", "_low", "_high"))},
        ),
        percent=frozenset(name for name in _BIAS if "_gap" in name) | {"class_difference"},
        apart=("data_hash",),
        group=("cell", "set_hash"),
        by_cell=("set_name", "set_images", "classifier"),
        by_run=("run", "set_name", "seed"),
        telling=("attributes_hash", "precision", "code_version", "cell"),
        sort="class_difference",
    ),
}
assert all(set(view.better) <= set(COLUMNS) for view in VIEWS.values())
