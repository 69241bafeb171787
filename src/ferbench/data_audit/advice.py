"""What to do about each fault: a line with the key or the command that helps."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench.data_audit.findings import Enlarged, Faults, Findings, LabelNoise

LARGE_RATIO = 3.0  # of the largest class over the smallest, from which balancing is worth a try
SMALL_P = 0.001  # of equal shares in all splits, below which the difference is reported
RECALL_OF_USE = 0.5  # of the control, below which a list is no help
LONG_LIST = 0.2  # share of all images, from which on it is the classifiers that are wrong


def lines(findings: Findings) -> list[tuple[str, str]]:
    """(fault, what helps against it) of the faults that are there; none for a set without any."""
    return [
        *_copies(findings.faults, findings.enlarged),
        *_classes(findings.faults),
        *_labels(findings.faults, findings.noise),
    ]


def _copies(faults: Faults, enlarged: Enlarged | None) -> Iterator[tuple[str, str]]:
    leaked = sum(leak.images for leak in faults.leaks if leak.earlier == "train")
    identical, near = faults.groups["identical"], faults.groups["near"]
    if leaked:
        yield (
            f"{leaked:,} test images are in Training, pixel by pixel",
            "report `accuracy_dedup` beside `accuracy`: every row of `ferbench table` has both; "
            "masks `clean_public.npy` and `clean_private.npy` lie beside the data",
        )
    if near.across or faults.groups["mirrored"].across:
        yield (
            f"{near.across:,} groups of near copies lie in several splits",
            "the masks `near_clean_*.npy` leave them out; so does `ferbench audit set=FOLDER`",
        )
    more = 0 if enlarged is None else sum(enlarged.copies.values())
    if more:
        yield (
            f"{more:,} more test images show a Training photograph at another scale",
            "no mask has them; `ferbench audit set=FOLDER` leaves them out by itself",
        )
    if identical.redundant:
        yield (
            f"{identical.redundant:,} images are copies of another one",
            "`clean_train.npy` marks one of each; when splitting anew, keep the groups of "
            "`duplicates.csv` together",
        )


def _classes(faults: Faults) -> Iterator[tuple[str, str]]:
    balance, blank = faults.balance, int(faults.blank.sum())
    if blank:
        yield (
            f"{blank} images are blank",
            "`duplicates.csv` names them (kind `blank`); they are part of every published "
            "number, so they stay in the set",
        )
    if balance.largest_ratio >= LARGE_RATIO:
        yield (
            f"the largest class is {balance.largest_ratio:.1f} times as large as the smallest",
            "`train.sampling=balanced` or `train.class_weights=sqrt_inverse` in `ferbench "
            "classify`; more of it from a generator: `data=mixed mix=add synthetic_per_real=1`; "
            "report `balanced_accuracy` and `macro_f1`",
        )
    if balance.p < SMALL_P:
        yield (
            "the splits have different shares of the classes",
            "compare by `balanced_accuracy`, which does not depend on the shares",
        )


def _labels(faults: Faults, noise: LabelNoise | None) -> Iterator[tuple[str, str]]:
    if faults.groups["identical"].conflicting:
        yield (
            f"{faults.groups['identical'].conflicting} groups of identical images have several "
            "labels, so no classifier can be right on all of them",
            "`duplicates.csv` names them; `train.label_smoothing` (0.1 by default) trusts each "
            "label a little less",
        )
    if noise is None or not noise.issues.disputed.any():
        return
    listed, share = int(noise.issues.disputed.sum()), noise.issues.disputed.mean()
    yield f"{listed:,} labels ({100 * share:.0f} %) are disputed", _on_the_list(noise, share)


def _on_the_list(noise: LabelNoise, share: float) -> str:
    if noise.control is not None and noise.control.recall < RECALL_OF_USE:
        return (
            "do not act on the list: the control finds only "
            f"{100 * noise.control.recall:.0f} % of labels made wrong on purpose; "
            "`label_noise=thorough` fits better classifiers"
        )
    if share > LONG_LIST:
        return (
            "so many that most of them are errors of the classifiers: read only the top of "
            "`disputed.csv`, where the margin is lowest; `label_noise=thorough` fits better "
            "classifiers"
        )
    return (
        "read `disputed.csv` from the top, where the margin is lowest, and look at the images "
        "(`show_real=true` draws the first) before any label is changed"
    )
