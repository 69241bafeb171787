"""Generators and discriminators: StyleGAN2, and the plain cGAN and AC-GAN beside it."""

from .baselines import PlainDiscriminator, PlainGenerator, PlainMapping
from .batch_norm import BatchNorm
from .build import discriminator_of, generator_of
from .config import (
    DiscriminatorConfig,
    GeneratorConfig,
    PlainDiscriminatorConfig,
    PlainGeneratorConfig,
)
from .discriminator import Discriminator
from .generator import Generator, TwoStageGenerator, mix_styles
from .mapping import MappingNetwork
from .synthesis import SynthesisLayer, SynthesisNetwork, check_noise

__all__ = [
    "BatchNorm",
    "Discriminator",
    "DiscriminatorConfig",
    "Generator",
    "GeneratorConfig",
    "MappingNetwork",
    "PlainDiscriminator",
    "PlainDiscriminatorConfig",
    "PlainGenerator",
    "PlainGeneratorConfig",
    "PlainMapping",
    "SynthesisLayer",
    "SynthesisNetwork",
    "TwoStageGenerator",
    "check_noise",
    "discriminator_of",
    "generator_of",
    "mix_styles",
]
