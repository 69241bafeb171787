"""StyleGAN2 with adaptive discriminator augmentation, as a library of PyTorch functions."""

from .augment.ada import ada_step
from .augment.adaptive import AugmentPipe
from .augment.config import PIPES, AugmentConfig, pipe
from .augment.diffaugment import diff_augment
from .networks.baselines import PlainDiscriminator, PlainGenerator
from .networks.build import discriminator_of, generator_of
from .networks.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    PlainDiscriminatorConfig,
    PlainGeneratorConfig,
    channels,
    resolutions,
)
from .networks.discriminator import Discriminator
from .networks.generator import Generator, TwoStageGenerator, mix_styles
from .networks.modulation import modulated_conv2d
from .networks.truncation import centers_of, class_centers, truncate
from .official import load_official
from .safe_pickle import UnsafePickleError
from .sampling import class_diversity, from_uint8, latents, sample, to_uint8
from .training.batches import ConditionSampler, RealBatches, balanced_weights, condition_sampler
from .training.ema import ema_decay, ema_update
from .training.losses import (
    class_loss,
    discriminator_fake_loss,
    discriminator_real_loss,
    generator_loss,
    lazy_adam,
    path_length_penalty,
    path_lengths,
    r1_penalty,
)
from .training.setup import AdaOptions, Streams, TrainOptions, build_optimizers, shard_streams
from .training.ticks import Tick
from .training.trainer import Trainer, train

__all__ = [
    "PIPES",
    "AdaOptions",
    "AugmentConfig",
    "AugmentPipe",
    "ConditionSampler",
    "Discriminator",
    "DiscriminatorConfig",
    "Generator",
    "GeneratorConfig",
    "PlainDiscriminator",
    "PlainDiscriminatorConfig",
    "PlainGenerator",
    "PlainGeneratorConfig",
    "RealBatches",
    "Streams",
    "Tick",
    "TrainOptions",
    "Trainer",
    "TwoStageGenerator",
    "UnsafePickleError",
    "ada_step",
    "balanced_weights",
    "build_optimizers",
    "centers_of",
    "channels",
    "class_centers",
    "class_diversity",
    "class_loss",
    "condition_sampler",
    "diff_augment",
    "discriminator_fake_loss",
    "discriminator_of",
    "discriminator_real_loss",
    "ema_decay",
    "ema_update",
    "from_uint8",
    "generator_loss",
    "generator_of",
    "latents",
    "lazy_adam",
    "load_official",
    "mix_styles",
    "modulated_conv2d",
    "path_length_penalty",
    "path_lengths",
    "pipe",
    "r1_penalty",
    "resolutions",
    "sample",
    "shard_streams",
    "to_uint8",
    "train",
    "truncate",
]
