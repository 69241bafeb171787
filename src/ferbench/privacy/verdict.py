"""The verdict of an audit in words; a set that passes is never called private."""

from __future__ import annotations

from ferbench.classes import CLASSES
from ferbench.privacy.findings import NETWORK_ATTACKS, Findings

COPIES, LEAK, NETWORKS, NOTHING = "copies", "leak", "networks leak", "nothing found"


def level(findings: Findings) -> str:
    """The worst that holds.

    copies: training images are in the set. leak: there are other signs of them in it. networks
    leak: only the generator's own networks, which need not go out with the set, know them.
    """
    tests = {test for test, _ in findings.flags}
    if tests & {"identical", "near copies"}:
        return COPIES
    if tests - NETWORK_ATTACKS:
        return LEAK
    return NETWORKS if tests else NOTHING


def sentences(findings: Findings) -> list[str]:
    """The verdict: what the tests show, what they could have shown, and what that means."""
    return [
        _result(findings),
        *_classes(findings),
        limits(findings),
        *_doubts(findings),
        CAVEAT,
    ]


CAVEAT = (
    "This is no proof of privacy. A set with fewer copies than that, with traces that no test "
    "measures, or attacked by somebody who knows more, passes as well; only training with a "
    "guarantee, such as differential privacy, bounds what a set can reveal."
)


def _result(findings: Findings) -> str:
    reached = level(findings)
    if reached == COPIES:
        return (
            f"The set reveals training images: {int(findings.near.sum()):,} of its "
            f"{findings.images:,} images are copies of training images, {findings.identical:,} of "
            "them pixel by pixel."
        )
    tests = ", ".join(f"{test} ({space})" for test, space in findings.flags)
    if reached == LEAK:
        return (
            "No image is a copy of a training image, but the set is nearer to its training images "
            f"than to others of the same source. Beyond chance: {tests}."
        )
    passed = (
        f"No memorization was found among {findings.images:,} images: {_no_copies(findings)}, and "
        "no test in which they are nearer to them than chance allows."
    )
    if reached == NOTHING:
        return passed
    return (
        f"{passed} But the networks behind them have memorized training images, beyond chance: "
        f"{tests}. Whoever has the generator's file can distinguish training images from others; "
        "the set alone does not reveal them."
    )


def _no_copies(findings: Findings) -> str:
    """That there are no copies, or none that held-out images do not have as well."""
    copied = int(findings.near.sum())
    if not copied:
        return "no copies of training images"
    return (
        f"{copied:,} are near a training image, but in proportion as many are near a held-out one"
    )


def _classes(findings: Findings) -> list[str]:
    """The classes in which an attack succeeds."""
    alpha = findings.options.alpha / len(CLASSES)
    hit: dict[str, list[str]] = {}
    for one in findings.attacks:
        if one.class_p < findings.options.alpha:
            for name, attack in zip(CLASSES, one.classes, strict=True):
                if attack is not None and attack.p_auc < alpha:
                    hit.setdefault(name, []).append(f"{one.name}, {one.space}")
    classes = "; ".join(f"{name} (by {' and by '.join(by)})" for name, by in hit.items())
    return (
        [f"Within a class, training images are distinguished from others in {classes}."]
        if hit
        else []
    )


def limits(findings: Findings) -> str:
    """The detection limits in a sentence."""
    parts, n = [], findings.controls.images
    top = 100 * findings.controls.levels[-1] / n
    for variant in findings.controls.positive:
        limit = findings.detection_limit(variant)
        missed = f"{variant} not even at {top:.2g} %"
        parts.append(missed if limit is None else f"{variant} from {limit:.2g} %")
    return (
        "Detection limit: of sets with planted copies of training images the audit flags "
        f"{', '.join(parts)} of {n:,} images."
    )


def _doubts(findings: Findings) -> list[str]:
    """Controls that failed, which the reader must know before the verdict is used."""
    failed = ", ".join(f"{test} ({space})" for test, space in findings.unsound)
    if not failed:
        return []
    return [
        f"The negative control failed in {failed}: real held-out images are flagged, too, so that "
        "these do not count here."
    ]
