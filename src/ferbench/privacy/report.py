"""An audit for people: its report, and its summary for the terminal."""

from __future__ import annotations

from ferbench.privacy import tables, verdict
from ferbench.privacy.findings import Findings
from ferbench.report import Block, Heading, Table, Text, audit

MEANINGS = {
    "identical": "share of images with the pixels of a training image, or mirrored",
    "near copies": "share of images that are a training image shifted, mirrored or cropped closer",
    "standing out": "share of images with one training image much nearer than the second nearest",
    "closer to training": "share of images nearer to training images than to as many held-out ones",
    "nearest is training": "share of images whose nearest real image is a training image",
    "authenticity": "share of images farther from a training image than that is from the next one",
    "data copying": "C_T, below 0 where the set is nearer to training images than held-out ones",
    "membership": "AUC of the distance to the nearest image of the set (GAN-Leaks)",
    "calibrated membership": "the same over the distance to the nearest other real image",
    "discriminator": "AUC of the discriminator's score",
    "inversion": "AUC of the error with which the generator reconstructs an image",
}
METHOD = (
    "Real images with a near copy anywhere among the real ones (Training, PublicTest and "
    "PrivateTest) are left out of every test but the search for copies, so that a held-out image "
    "reveals nothing about a training image. What is left is exchangeable: without memorization a "
    "set is as near to the training images as to the held-out ones. Photographs that are in "
    "Training twice are the likeliest to be memorized; only the search for copies covers them. "
    "Mirror images count as the image.",
    "Spaces: pixels, 16 x 16 averages less their mean; gradients, a histogram of oriented "
    "gradients (Dalal and Triggs 2005); hashes, a 63-bit perceptual hash (Zauner 2010); judge, "
    "features of a classifier, of length 1. The judge knows the training images itself, so its "
    "values for half of the held-out images are subtracted from its values for the set.",
    "Sources: GAN-Leaks (Chen et al. 2020), LOGAN (Hayes et al. 2019), C_T (Meehan et al. 2020), "
    "authenticity (Alaa et al. 2022), distance to the closest record with a holdout (Platzer and "
    "Reutterer 2021), the true positive rate at few false positives (Carlini et al. 2022).",
    "The negative control takes half of the held-out images for the set and compares them with the "
    "other half. The positive controls replace a part of it by copies of training images: plain, "
    "mirrored, cropped (a random 44 x 44 window enlarged), faded (blurred to 24 x 24, other "
    "contrast and brightness, noise). An audit of more images than these detects smaller shares.",
)


def summary(findings: Findings) -> str:
    """The tests and the verdict for the terminal."""
    shown = {
        "Tests": tables.tests_table(findings),
        "Membership inference": tables.attacks_table(findings),
    }
    lines = [f"verdict: {verdict.level(findings)}", *verdict.sentences(findings)]
    return audit.summary(shown, lines=lines)


def blocks(findings: Findings, context: audit.Context) -> list[Block]:
    """The report."""
    results: list[Block] = [
        Heading("Tests"),
        tables.tests_table(findings),
        Heading("Membership inference"),
        tables.attacks_table(findings),
        tables.classes_table(findings),
        tables.rates_table(findings),
        Heading("Nearest training images"),
        tables.pairs_table(findings),
        tables.distances_table(findings),
        tables.copying_table(findings),
    ]
    meanings = [[name, text] for name, text in MEANINGS.items()]
    method: list[Block] = [Table(["test", "its value"], meanings, leading=2), *map(Text, METHOD)]
    result = audit.Verdict(verdict.level(findings), verdict.sentences(findings))
    return audit.blocks(context, results, verdict=result, method=method)
