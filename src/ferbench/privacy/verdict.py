"""What an audit amounts to in words; passing it is never called private."""

from __future__ import annotations

from ferbench.classes import CLASSES
from ferbench.privacy.audit import Audit
from ferbench.privacy.networks import ASK_NETWORKS
from ferbench.privacy.plants import VARIANTS

COPIES, LEAK, NETWORKS, NOTHING = "copies", "leak", "networks leak", "nothing found"


def level(audit: Audit) -> str:
    """What was found, the worst first.

    copies: training images are in the set. leak: there are other signs of them in it. networks
    leak: only the generator's own networks, which need not go out with the set, know them.
    """
    tests = {test for test, _ in audit.flags}
    if tests & {"identical", "near copies"}:
        return COPIES
    if tests - ASK_NETWORKS:
        return LEAK
    return NETWORKS if tests else NOTHING


def sentences(audit: Audit) -> list[str]:
    """The verdict: what was found, what could have been found, and what that means."""
    return [_finding(audit), *_classes(audit), limits(audit), *_doubts(audit), CAVEAT]


CAVEAT = (
    "This is no proof of privacy. A set with fewer copies than that, with traces that no test "
    "measures, or before an attacker who knows more, passes as well; only training with a "
    "guarantee, such as differential privacy, bounds what a set can give away."
)


def _finding(audit: Audit) -> str:
    found = level(audit)
    if found == COPIES:
        return (
            f"The set gives training images away: {int(audit.near.sum()):,} of its "
            f"{audit.images:,} images are copies of training images, {audit.identical:,} of them "
            "pixel by pixel."
        )
    tests = ", ".join(f"{test} ({space})" for test, space in audit.flags)
    if found == LEAK:
        return (
            "No image is a copy of a training image, but the set is nearer to its training images "
            f"than to others of the same source. Beyond chance: {tests}."
        )
    passed = (
        f"No memorization was found among {audit.images:,} images: {_no_copies(audit)}, and no "
        "test in which they are nearer to them than chance allows."
    )
    if found == NOTHING:
        return passed
    return (
        f"{passed} But the networks behind them know their training images, beyond chance: "
        f"{tests}. Who holds the generator's file can tell members from others; the set alone "
        "does not show them."
    )


def _no_copies(audit: Audit) -> str:
    """That there are no copies, or none that held-out images do not have as well."""
    copied = int(audit.near.sum())
    if not copied:
        return "no copies of training images"
    return (
        f"{copied:,} are near a training image, but no fewer are near a held-out one, for their "
        "numbers"
    )


def _classes(audit: Audit) -> list[str]:
    """The classes in which an attack succeeds."""
    alpha = audit.options.alpha / len(CLASSES)
    hit: dict[str, list[str]] = {}
    for one in audit.attacks:
        if one.class_p < audit.options.alpha:
            for name, attack in zip(CLASSES, one.classes, strict=True):
                if attack is not None and attack.p_auc < alpha:
                    hit.setdefault(name, []).append(f"{one.name}, {one.space}")
    found = "; ".join(f"{name} (by {' and by '.join(by)})" for name, by in hit.items())
    return [f"Within a class members are told from others in {found}."] if hit else []


def limits(audit: Audit) -> str:
    """The detection limits in a sentence."""
    parts, n = [], audit.controls.images
    for variant in VARIANTS:
        found = audit.detection_limit(variant)
        top = 100 * audit.controls.levels[-1] / n
        parts.append(
            f"{variant} from {found:.2g} %"
            if found is not None
            else f"{variant} not even at {top:.2g} %"
        )
    return (
        "Detection limit: of sets with planted copies of training images the audit flags "
        f"{', '.join(parts)} of {n:,} images."
    )


def _doubts(audit: Audit) -> list[str]:
    """Controls that failed, which the reader must know before the verdict is used."""
    failed = ", ".join(f"{test} ({space})" for test, space in audit.unsound)
    if not failed:
        return []
    return [
        f"The negative control failed in {failed}: real held-out images are flagged, too, so that "
        "these do not count here."
    ]
