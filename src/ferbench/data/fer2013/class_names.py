"""The words that people write for the classes, in folder names and in columns of labels."""

from ferbench.classes import CLASSES

_SYNONYMS = {
    "angry": ("anger",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "happy": ("happiness",),
    "sad": ("sadness",),
    "surprise": ("surprised", "suprise"),
    "neutral": ("neutrality",),
}
LABELS = {name: label for label, name in enumerate(CLASSES)} | {  # word in lower case: label
    synonym: CLASSES.index(name) for name, synonyms in _SYNONYMS.items() for synonym in synonyms
}
