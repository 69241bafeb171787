"""Augmentation of what the discriminator sees: adaptive (ADA), or always on (DiffAugment)."""
