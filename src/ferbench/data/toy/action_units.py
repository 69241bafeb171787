"""The facial action units of the toy faces and how the seven expressions combine them.

Action units (AUs) are the muscle movements of the Facial Action Coding System (FACS; Ekman &
Friesen 1978; Ekman, Friesen & Hager 2002). Which of them make up an expression follows the
prototypes of EMFACS (Friesen & Ekman 1983).
"""

from collections.abc import Mapping

import numpy as np

from ferbench.classes import CLASSES

NAMES = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    12: "lip corner puller",
    15: "lip corner depressor",
    16: "lower lip depressor",
    20: "lip stretcher",
    23: "lip tightener",
    26: "jaw drop",
}
ACTION_UNITS = tuple(NAMES)  # the one order of every AU vector
Units = dict[int, float]  # intensity of every AU by its number

PROTOTYPES: dict[str, tuple[int, ...]] = {
    "angry": (4, 5, 7, 23),
    "disgust": (9, 15, 16),
    "fear": (1, 2, 4, 5, 7, 20, 26),
    "happy": (6, 12),
    "sad": (1, 4, 15),
    "surprise": (1, 2, 5, 26),
    "neutral": (),
}
# AUs that often go along, and how often.
OPTIONAL: dict[str, dict[int, float]] = {
    "angry": {9: 0.15, 26: 0.15},
    "disgust": {4: 0.4, 6: 0.2, 7: 0.4, 26: 0.1},
    "fear": {},
    "happy": {1: 0.1, 2: 0.1, 7: 0.25, 26: 0.35},
    "sad": {6: 0.15, 7: 0.25, 20: 0.1},
    "surprise": {},
    "neutral": {},
}
EFFORT = (0.35, 1.0)  # how strongly a face shows its expression as a whole
CORE_SPREAD = (0.7, 1.3)  # each AU of the prototype, relative to that effort
OPTIONAL_INTENSITY = (0.2, 0.7)
STRAY_PROBABILITY = 0.25  # of every AU that is not the expression's
STRAY_INTENSITY = (0.0, 0.25)


def vector(intensities: Mapping[int, float]) -> np.ndarray:
    """[13] float32 in the order of ACTION_UNITS; AUs that are not named are 0.

    intensities: AU number to intensity in [0, 1].
    Raises ValueError for an AU that is not drawn and for an intensity outside [0, 1].
    """
    out = np.zeros(len(ACTION_UNITS), np.float32)
    for unit, intensity in intensities.items():
        if unit not in NAMES or not 0 <= intensity <= 1:
            raise ValueError(f"AU{unit}={intensity}: expected one of {ACTION_UNITS}, in [0, 1]")
        out[ACTION_UNITS.index(unit)] = intensity
    return out


def sample(label: int, rng: np.random.Generator) -> np.ndarray:
    """[13] float32 intensities in [0, 1] of one face of the class CLASSES[label].

    The AUs of the prototype share one effort and vary about it; optional ones come and go; every
    other AU may stray a little, so that no single one gives the class away.
    """
    size = len(ACTION_UNITS)
    core, optional = PROTOTYPES[CLASSES[label]], OPTIONAL[CLASSES[label]]
    stray = rng.uniform(*STRAY_INTENSITY, size) * (rng.random(size) < STRAY_PROBABILITY)
    shown = rng.random(size) < [optional.get(unit, 0.0) for unit in ACTION_UNITS]
    out = np.where(shown, rng.uniform(*OPTIONAL_INTENSITY, size), stray)
    effort = rng.uniform(*EFFORT)
    strength = effort * rng.uniform(*CORE_SPREAD, size)
    out = np.where(np.isin(ACTION_UNITS, core), strength, out)
    return np.clip(out, 0.0, 1.0).astype(np.float32)


def jaw_drop(units: Units) -> float:
    """How far AU26 lowers the jaw, in pixels of the face frame."""
    return 4.6 * units[26]
