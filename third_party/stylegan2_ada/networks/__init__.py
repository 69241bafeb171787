"""Generators and discriminators: StyleGAN2, and the plain cGAN and AC-GAN beside it."""
