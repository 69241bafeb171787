"""StyleGAN2 with adaptive discriminator augmentation, as a library of PyTorch functions."""

from .ada import ada_step
from .augment import AugmentPipe
from .augment_config import PIPES, AugmentConfig, pipe
from .baselines import PlainDiscriminator, PlainGenerator
from .batches import ConditionSampler, RealBatches, balanced_weights, condition_sampler
from .config import (
    DiscriminatorConfig,
    GeneratorConfig,
    PlainDiscriminatorConfig,
    PlainGeneratorConfig,
    channels,
    resolutions,
)
from .diffaugment import diff_augment
from .discriminator import Discriminator
from .ema import ema_decay, ema_update
from .generator import Generator, TwoStageGenerator, mix_styles
from .losses import (
    class_loss,
    discriminator_fake_loss,
    discriminator_real_loss,
    generator_loss,
    lazy_adam,
    path_length_penalty,
    path_lengths,
    r1_penalty,
)
from .modulation import modulated_conv2d
from .networks import discriminator_of, generator_of
from .official import load_official
from .safe_pickle import UnsafePickleError
from .sampling import class_diversity, from_uint8, latents, sample, to_uint8
from .ticks import Tick
from .training import Trainer, train
from .training_setup import AdaOptions, Streams, TrainOptions, build_optimizers, shard_streams
from .truncation import centers_of, class_centers, truncate

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
