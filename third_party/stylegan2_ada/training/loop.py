"""The training loop: steps until enough images were shown, and the numbers in between."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..networks import TwoStageGenerator
from ..sampling import class_diversity
from . import distributed
from .trainer import Trainer


@dataclass(frozen=True)
class Tick:
    """Where a run stands; means are those since the last tick, nan where nothing was counted."""

    images: int  # real images shown so far
    seconds: float  # of training since the last tick, ticks themselves left out
    images_per_second: float
    augment_p: float  # probability of the adaptive pipeline, 0 without one
    loss_g: float  # without AC-GAN's class loss, as loss_d
    loss_d: float  # on generated and real images together
    real_sign: float  # mean sign of D's logits on reals: near 1 where D overfits
    real_logit: float
    fake_logit: float  # on the images that D is trained with
    grad_norm_g: float  # of the main phases
    grad_norm_d: float
    r1_penalty: float  # before gamma / 2
    path_length: float  # running mean
    skipped_steps: int  # updates left out for gradients that were not finite, in all
    diversity: tuple[float, ...]  # of each class, see `class_diversity`
    aux_loss_real: float = 0.0  # AC-GAN's class loss before its weight, in D main; 0: none
    aux_loss_fake: float = 0.0  # the same of generated images, in G main
    r2_penalty: float = 0.0  # of generated images, before gamma / 2; 0: none


def train(
    trainer: Trainer,
    batches: Iterator[tuple[Tensor, Tensor]],
    *,
    total_images: int,
    tick_images: int,
    tick_conditions: Tensor,
    tick_seeds: Sequence[int],
    on_tick: Callable[[Tick], None],
    should_stop: Callable[[], bool],
) -> TwoStageGenerator:
    """Train until `total_images` real images were shown, those before a resume included.

    batches yields this process's (images [N, C, H, W] uint8, conditions [N, c_dim]) on the
    trainer's device, for ever. on_tick gets the same numbers in every process (but for its own
    seconds), each `tick_images` images and at the end: it prints and saves, this function does
    neither. Their diversity is that of the averaged generator at `tick_conditions` [K, c_dim] and
    `tick_seeds`. should_stop is asked after every step; one process whose answer is true stops all.
    Returns the averaged generator, which is the trainer's. Raises FloatingPointError as
    `Trainer.check_skips`, on a GPU at ticks only.
    """
    last, start = trainer.images, time.perf_counter()
    on_cpu = trainer.losses.device.type == "cpu"
    while trainer.images < total_images:
        trainer.step(*next(batches))
        due = trainer.images % tick_images < trainer.options.batch
        if due or trainer.images >= total_images:
            trainer.check_skips()
            seconds = time.perf_counter() - start
            on_tick(_tick(trainer, trainer.images - last, seconds, tick_conditions, tick_seeds))
            last, start = trainer.images, time.perf_counter()
        elif on_cpu and trainer.steps % trainer.options.nonfinite_limit == 0:
            trainer.check_skips()  # a GPU would be waited for
        if distributed.any_true(should_stop()):
            break
    return trainer.ema


def _tick(
    trainer: Trainer, images: int, seconds: float, conditions: Tensor, seeds: Sequence[int]
) -> Tick:
    return Tick(
        images=trainer.images,
        seconds=seconds,
        images_per_second=images / seconds,
        augment_p=trainer.augment_p,
        path_length=float(trainer.losses.path_mean),
        skipped_steps=trainer.skips.total(),
        diversity=class_diversity(trainer.ema, conditions, seeds),
        **trainer.losses.meter.take(),
    )
