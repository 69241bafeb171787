"""The losses of the four phases of a training step, one shard of the batch at a time.

Each method yields losses that the trainer differentiates and averages over all shards. They are
generators, so that the graph of one shard is gone before the next one's is built.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from . import distributed
from .augment import AugmentPipe
from .batches import ConditionSampler
from .diffaugment import diff_augment
from .discriminator import Discriminator
from .generator import Generator, mix_styles
from .losses import (
    discriminator_fake_loss,
    discriminator_real_loss,
    generator_loss,
    path_length_penalty,
    path_lengths,
    r1_penalty,
)
from .sampling import from_uint8
from .ticks import NAMES, Meter
from .training_setup import Streams, TrainOptions


class PhaseLosses:
    """Losses, the running means that they keep, and the numbers that they report."""

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        options: TrainOptions,
        *,
        streams: Sequence[Streams],
        conditions: ConditionSampler,
        augment: AugmentPipe | str | None,
    ) -> None:
        self.generator, self.discriminator, self.options = generator, discriminator, options
        self.streams, self.conditions, self.augment = list(streams), conditions, augment
        self.shards = len(self.streams) * distributed.world()
        self.shard = options.batch // self.shards  # images
        self.device = generator.mapping.w_avg.device
        self.path_mean = torch.zeros([], device=self.device)
        self.meter = Meter(NAMES, self.device)
        self.ada_meter = Meter(("real_sign",), self.device)

    def generator_main(self) -> Iterator[Tensor]:
        """-log sigmoid(D(G(z))); the running mean of w moves by the whole batch."""
        total = torch.zeros_like(self.generator.mapping.w_avg)
        for streams in self.streams:
            z, c = self._latents(streams, self.shard)
            ws = self.generator.mapping(z, c)
            total += ws[:, 0].detach().mean(0)
            images = self._images(self._mixed(ws, c, streams), streams, self.options.dtype)
            loss = generator_loss(self._logits(images, c, streams, self.options.dtype))
            self.meter.add("loss_g", loss)
            yield loss.mean()
        self._track_center(distributed.sum_(total) / self.shards)

    def path_length(self) -> Iterator[Tensor]:
        """All shards at once: the running mean moves by their mean before the penalty is taken."""
        options, lengths = self.options, []
        for streams in self.streams:
            z, c = self._latents(streams, self.shard // options.path_shrink)
            ws = self._mixed(self.generator.mapping(z, c), c, streams)
            images = self._images(ws, streams, options.regularizer_dtype)
            lengths.append(path_lengths(images, ws, self._normal(streams, *images.shape)))
        everyone = distributed.gather(torch.cat(lengths))
        penalty, self.path_mean = path_length_penalty(
            everyone, self.path_mean, decay=options.path_decay
        )
        own = penalty.chunk(distributed.world())[distributed.rank()].mean()
        yield own * len(self.streams) * options.path_weight * options.path_interval

    def discriminator_main(self, images: Tensor, conditions: Tensor) -> Iterator[Tensor]:
        """-log(1 - sigmoid(D(G(z)))), then -log sigmoid(D(x)) with smoothed targets."""
        dtype, smoothing = self.options.dtype, self.options.label_smoothing
        for streams, reals, real_c in self._real_shards(images, conditions):
            z, c = self._latents(streams, len(reals))
            with torch.no_grad():
                ws = self._mixed(self.generator.mapping(z, c), c, streams)
                fakes = self._images(ws, streams, dtype)
            fake_logits = self._logits(fakes, c, streams, dtype)
            fake_loss = discriminator_fake_loss(fake_logits)
            yield fake_loss.mean()
            logits = self._logits(reals, real_c, streams, dtype)
            loss = discriminator_real_loss(logits).lerp(discriminator_fake_loss(logits), smoothing)
            yield loss.mean()
            self.meter.add("loss_d", fake_loss.detach() + loss.detach())
            self.meter.add("fake_logit", fake_logits)
            self.meter.add("real_logit", logits)
            self.meter.add("real_sign", logits.detach().sign())
            self.ada_meter.add("real_sign", logits.detach().sign())

    def r1(self, images: Tensor, conditions: Tensor) -> Iterator[Tensor]:
        """gamma / 2 times the squared gradient norm of D at (unaugmented) real images."""
        options = self.options
        for streams, reals, c in self._real_shards(images, conditions):
            reals.requires_grad_()
            logits = self._logits(reals, c, streams, options.regularizer_dtype)
            penalty = r1_penalty(logits, reals)
            self.meter.add("r1_penalty", penalty)
            yield penalty.mean() * (options.r1_gamma / 2 * options.r1_interval)

    def _latents(self, streams: Streams, n: int) -> tuple[Tensor, Tensor]:
        """z [n, z_dim] and conditions [n, c_dim]."""
        z = self._normal(streams, n, self.generator.config.z_dim)
        return z, self.conditions(n, streams.latents).to(self.device)

    def _normal(self, streams: Streams, *shape: int) -> Tensor:
        generator = streams.latents
        return torch.randn(shape, generator=generator, device=generator.device).to(self.device)

    def _mixed(self, ws: Tensor, c: Tensor, streams: Streams) -> Tensor:
        """Style mixing with new latents of the same conditions."""
        probability = self.options.style_mixing
        if probability == 0:
            return ws
        z = self._normal(streams, len(ws), self.generator.config.z_dim)
        other = self.generator.mapping(z, c)
        return mix_styles(ws, other, probability=probability, generator=streams.latents)

    def _images(self, ws: Tensor, streams: Streams, dtype: torch.dtype) -> Tensor:
        images: Tensor = self.generator.synthesis(
            ws, noise=self.options.noise, generator=streams.noise, dtype=dtype
        )
        return images

    def _logits(self, images: Tensor, c: Tensor, streams: Streams, dtype: torch.dtype) -> Tensor:
        """D's logits of augmented images."""
        if isinstance(self.augment, str):
            images = diff_augment(images, self.augment, streams.augment)
        elif self.augment is not None:
            images = self.augment(images, streams.augment)
        logits: Tensor = self.discriminator(images, c, dtype=dtype)
        return logits

    def _real_shards(
        self, images: Tensor, conditions: Tensor
    ) -> Iterator[tuple[Streams, Tensor, Tensor]]:
        """Streams, images in [-1, 1] and conditions of each shard of this process."""
        own = self.shard * len(self.streams)
        assert len(images) == len(conditions) == own, f"{len(images)} images, expected {own}"
        parts = zip(
            self.streams, images.split(self.shard), conditions.split(self.shard), strict=True
        )
        for streams, reals, c in parts:
            yield streams, from_uint8(reals), c

    @torch.no_grad()
    def _track_center(self, mean: Tensor) -> None:
        """Move the running mean of w toward `mean` [w_dim] where that is finite."""
        mapping = self.generator.mapping
        assert mapping.w_avg_beta is not None
        mean = torch.where(mean.isfinite(), mean, mapping.w_avg)
        mapping.w_avg.lerp_(mean, 1 - mapping.w_avg_beta)
