"""The fixed facts of FER2013: class order, split names, image size."""

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SPLITS = ("train", "public", "private")
IMAGE_PX = 48
