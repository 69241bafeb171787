"""Augmentation of what the discriminator sees: adaptive (ADA), or always on (DiffAugment)."""

from .adaptive import AugmentPipe, ada_step
from .config import AugmentConfig, pipe
from .diffaugment import diff_augment

__all__ = ["AugmentConfig", "AugmentPipe", "ada_step", "diff_augment", "pipe"]
