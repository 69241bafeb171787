"""The training loop and its parts: options, batches, losses, averages, counts, processes."""

from .batches import ConditionSampler, RealBatches, balanced_weights, condition_sampler
from .loop import Tick, train
from .schedule import Schedules
from .setup import AdaOptions, TrainOptions, build_optimizers, shard_streams
from .trainer import Trainer

__all__ = [
    "AdaOptions",
    "ConditionSampler",
    "RealBatches",
    "Schedules",
    "Tick",
    "TrainOptions",
    "Trainer",
    "balanced_weights",
    "build_optimizers",
    "condition_sampler",
    "shard_streams",
    "train",
]
