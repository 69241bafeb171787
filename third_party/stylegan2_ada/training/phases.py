"""The losses of the four phases of a training step, one shard of the batch at a time.

Each method yields losses that the trainer differentiates and averages over all shards. They are
generators, so that the graph of one shard is gone before the next one's is built.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ..augment import AugmentPipe, diff_augment
from ..networks import (
    BatchNorm,
    Discriminator,
    PlainDiscriminator,
    SynthesisNetwork,
    TwoStageGenerator,
    mix_styles,
)
from ..sampling import from_uint8
from . import distributed
from .batches import ConditionSampler
from .counts import Meter
from .losses import (
    class_loss,
    discriminator_fake_loss,
    discriminator_real_loss,
    generator_loss,
    gradient_penalty,
    path_length_penalty,
    path_lengths,
    relativistic_loss,
)
from .setup import Streams, TrainOptions

# Values that the ticks have the means of, by their names there.
NAMES = (
    "loss_g",
    "loss_d",
    "real_sign",
    "real_logit",
    "fake_logit",
    "grad_norm_g",
    "grad_norm_d",
    "r1_penalty",
)
AUX_NAMES = ("aux_loss_real", "aux_loss_fake")  # of a discriminator with a class head
R2_NAMES = ("r2_penalty",)  # with a penalty on generated images


class PhaseLosses:
    """Losses, the running means that they keep, and the numbers that they report."""

    def __init__(
        self,
        generator: TwoStageGenerator,
        discriminator: Discriminator | PlainDiscriminator,
        options: TrainOptions,
        *,
        streams: Sequence[Streams],
        conditions: ConditionSampler,
        augment: AugmentPipe | str | None,
    ) -> None:
        self.generator, self.discriminator, self.options = generator, discriminator, options
        # of the main phases: regularizers are differentiated twice, which compiled code cannot be
        self.synthesize: Callable[..., Tensor] = generator.synthesis
        self.discriminate: Callable[..., Tensor] = discriminator
        self.map: Callable[..., Tensor] = generator.mapping
        if options.compile:
            self.synthesize, self.discriminate = _compiled(generator), torch.compile(discriminator)
            self.map = torch.compile(generator.mapping)
        self.streams, self.conditions, self.augment = list(streams), conditions, augment
        self.shards = len(self.streams) * distributed.world()
        self.shard = options.batch // self.shards  # images
        self.device = generator.mapping.w_avg.device
        self.paired = options.loss == "relativistic"
        self.path_mean = torch.zeros([], device=self.device)
        self.next_path_mean = self.path_mean
        self.penalty_factor = torch.ones([], device=self.device)  # of the schedule
        names = NAMES + AUX_NAMES * (options.aux_weight > 0) + R2_NAMES * (options.r2_gamma > 0)
        self.fakes: list[tuple[Tensor, Tensor]] = []  # of the last G phase, with their conditions
        self.meter = Meter(names, self.device)
        self.ada_meter = Meter(("real_sign",), self.device)
        self.norms = [part for part in generator.modules() if isinstance(part, BatchNorm)]

    def generator_main(self, images: Tensor, conditions: Tensor) -> Iterator[Tensor]:
        """-log sigmoid(D(G(z))), plus the class loss; running means move by the whole batch.

        The relativistic loss takes D(G(z)) - D(x) instead, x being the real image of the pair.
        """
        means = []
        self.fakes = []
        for streams, reals, real_c in self._real_shards(images, conditions):
            z, c = self._latents(streams, self.shard, real_c)
            ws = self.map(z, c)
            fakes = self._images(self._mixed(ws, c, streams), streams)
            if self.options.reuse_fakes:
                self.fakes.append((fakes.detach(), c))
            logits, aux = self._logits(fakes, c, streams, "aux_loss_fake")
            if self.paired:
                with torch.no_grad():
                    real_logits, _ = self._logits(from_uint8(reals), real_c, streams)
                loss = relativistic_loss(logits - real_logits)
            else:
                loss = generator_loss(logits)
            self.meter.add(loss_g=loss)
            means.append(self._batch_means(ws))
            yield (loss + aux).mean()
        self._move_running_means(distributed.sum_(torch.stack(means).sum(0)) / self.shards)

    def path_length(self) -> Iterator[Tensor]:
        """All shards at once: the running mean moves by their mean before the penalty is taken."""
        options, lengths = self.options, []
        for streams in self.streams:
            z, c = self._latents(streams, self.shard // options.path_shrink)
            ws = self._mixed(self.generator.mapping(z, c), c, streams)
            images = self._images(ws, streams, regularizer=True)
            lengths.append(path_lengths(images, ws, self._normal(streams, *images.shape)))
        everyone = distributed.gather(torch.cat(lengths))
        penalty, self.next_path_mean = path_length_penalty(
            everyone, self.path_mean, decay=options.path_decay
        )
        own = penalty.chunk(distributed.world())[distributed.rank()].mean()
        yield own * len(self.streams) * options.path_weight * options.path_interval

    @torch.no_grad()
    def move_path_mean(self, left_out: Tensor) -> None:
        """Take up the running mean of the last `path_length`, unless its update was left out."""
        self.path_mean.copy_(torch.where(left_out, self.path_mean, self.next_path_mean))

    def discriminator_main(self, images: Tensor, conditions: Tensor) -> Iterator[Tensor]:
        """-log(1 - sigmoid(D(G(z)))), then -log sigmoid(D(x)) with smoothed targets.

        The relativistic loss is one of both, of D(x) - D(G(z)). The class loss is added to both
        images', as Odena et al. 2017 do. With reuse_fakes the generated images are those of
        `generator_main`, which must have come before.
        """
        shards = self._real_shards(images, conditions)
        for shard, (streams, reals, real_c) in enumerate(shards):
            fakes, c = self._shown_fakes(shard, real_c)
            fake_logits, fake_aux = self._logits(fakes, c, streams)
            if not self.paired:
                fake_loss = discriminator_fake_loss(fake_logits)
                yield (fake_loss + fake_aux).mean()
            logits, aux = self._logits(from_uint8(reals), real_c, streams, "aux_loss_real")
            if self.paired:
                loss = self._smoothed(logits - fake_logits)
                yield (loss + aux + fake_aux).mean()
            else:
                loss = self._smoothed(logits)
                yield (loss + aux).mean()
                loss = loss.detach() + fake_loss.detach()
            self._count(loss.detach(), logits.detach(), fake_logits.detach())

    def _smoothed(self, logits: Tensor) -> Tensor:
        """D's loss on logits that are to be positive, with a share of the other target."""
        loss = discriminator_real_loss(logits)
        return loss.lerp(discriminator_fake_loss(logits), self.options.label_smoothing)

    def _count(self, loss: Tensor, real: Tensor, fake: Tensor) -> None:
        """Note D's loss, both logits and the sign that tells overfitting.

        Relativistic logits have no zero of their own: theirs is the sign within a pair.
        """
        sign = (real - fake if self.paired else real).sign()
        self.meter.add(loss_d=loss, fake_logit=fake, real_logit=real, real_sign=sign)
        self.ada_meter.add(real_sign=sign)

    def penalties(self, images: Tensor, conditions: Tensor) -> Iterator[Tensor]:
        """gamma / 2 times the squared gradient norm of D: R1 at real images, R2 at generated ones.

        The gradient is that of the images before their augmentation.
        """
        options = self.options
        for shard, (streams, reals, c) in enumerate(self._real_shards(images, conditions)):
            yield self._penalty(from_uint8(reals), c, streams, "r1_penalty") * options.r1_gamma
            if options.r2_gamma > 0:
                fakes, fake_c = self._shown_fakes(shard, c)
                penalty = self._penalty(fakes.detach(), fake_c, streams, "r2_penalty")
                yield penalty * options.r2_gamma

    def _penalty(self, images: Tensor, c: Tensor, streams: Streams, count_as: str) -> Tensor:
        """Mean squared gradient norm, corrected for the interval and the schedule."""
        options, images = self.options, images.clone().requires_grad_()
        augmented = self._augmented(images, streams)
        logits = self.discriminator(augmented, c, dtype=options.regularizer_dtype)
        penalty = gradient_penalty(logits, images)
        self.meter.add(**{count_as: penalty})
        return penalty.mean() * (options.r1_interval / 2) * self.penalty_factor

    @torch.no_grad()
    def _shown_fakes(self, shard: int, real_c: Tensor) -> tuple[Tensor, Tensor]:
        """Generated images [shard, C, H, W] for D, without a graph, and their conditions."""
        if self.options.reuse_fakes:
            return self.fakes[shard]
        streams = self.streams[shard]
        z, c = self._latents(streams, self.shard, real_c)
        ws = self._mixed(self.map(z, c), c, streams)
        return self._images(ws, streams), c

    def _latents(
        self, streams: Streams, n: int, real_c: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """z [n, z_dim] and conditions [n, c_dim]: those of real images where they are paired."""
        z = self._normal(streams, n, self.generator.config.z_dim)
        if self.paired and real_c is not None:
            return z, real_c
        return z, self.conditions(n, streams.latents)

    def _normal(self, streams: Streams, *shape: int) -> Tensor:
        return torch.randn(shape, generator=streams.latents, device=self.device)

    def _mixed(self, ws: Tensor, c: Tensor, streams: Streams) -> Tensor:
        """Style mixing with new latents of the same conditions."""
        probability = self.options.style_mixing
        if probability == 0:
            return ws
        z = self._normal(streams, len(ws), self.generator.config.z_dim)
        other = self.generator.mapping(z, c)
        return mix_styles(ws, other, probability=probability, generator=streams.latents)

    def _images(self, ws: Tensor, streams: Streams, *, regularizer: bool = False) -> Tensor:
        """Generated images with the precision of a main phase, or of the path length."""
        options = self.options
        call = self.generator.synthesis if regularizer else self.synthesize
        dtype = options.regularizer_dtype if regularizer else options.dtype
        images: Tensor = call(ws, noise=options.noise, generator=streams.noise, dtype=dtype)
        return images

    def _logits(
        self, images: Tensor, c: Tensor, streams: Streams, count_as: str | None = None
    ) -> tuple[Tensor, Tensor | float]:
        """D's logits [N] of augmented images, and the weighted class loss [N], 0.0 without one.

        count_as: name in the meter of the class loss before its weight.
        """
        images, dtype = self._augmented(images, streams), self.options.dtype
        if self.options.aux_weight == 0:
            return self.discriminate(images, c, dtype=dtype), 0.0
        assert isinstance(self.discriminator, PlainDiscriminator)
        logits, class_logits = self.discriminator.with_classes(images, dtype=dtype)
        loss = class_loss(class_logits, c)
        if count_as is not None:
            self.meter.add(**{count_as: loss})
        return logits, self.options.aux_weight * loss

    def _augmented(self, images: Tensor, streams: Streams) -> Tensor:
        if isinstance(self.augment, str):
            return diff_augment(images, self.augment, streams.augment)
        return images if self.augment is None else self.augment(images, streams.augment)

    def _real_shards(
        self, images: Tensor, conditions: Tensor
    ) -> Iterator[tuple[Streams, Tensor, Tensor]]:
        """Streams, uint8 images and conditions of each shard of this process."""
        own = self.shard * len(self.streams)
        assert len(images) == len(conditions) == own, f"{len(images)} images, expected {own}"
        yield from zip(
            self.streams, images.split(self.shard), conditions.split(self.shard), strict=True
        )

    def _batch_means(self, ws: Tensor) -> Tensor:
        """This shard's part of the running means, in one row: mean w, statistics of each norm."""
        statistics = [norm.batch_statistics for norm in self.norms]
        rows = [one.flatten() for one in statistics if one is not None]
        return torch.cat([ws[:, 0].detach().mean(0), *rows])

    @torch.no_grad()
    def _move_running_means(self, means: Tensor) -> None:
        """Move each buffer toward its part of `means`, the mean over all shards, where finite."""
        mapping = self.generator.mapping
        running = [(mapping.w_avg, mapping.w_avg_beta)]
        running += [(norm.statistics, norm.beta) for norm in self.norms]
        parts = means.split([buffer.numel() for buffer, _ in running])
        for (buffer, beta), part in zip(running, parts, strict=True):
            target = part.view_as(buffer)
            buffer.lerp_(torch.where(target.isfinite(), target, buffer), 1 - beta)


def _compiled(generator: TwoStageGenerator) -> Callable[..., Tensor]:
    """The synthesis network as compiled code; noise is drawn outside, which would break it up."""
    synthesis = generator.synthesis
    if not isinstance(synthesis, SynthesisNetwork):
        compiled: Callable[..., Tensor] = torch.compile(synthesis)
        return compiled
    render = torch.compile(synthesis.render)

    def synthesize(
        ws: Tensor, *, noise: str, generator: torch.Generator, dtype: torch.dtype
    ) -> Tensor:
        return render(ws, synthesis.noise(len(ws), noise, generator), dtype)

    return synthesize
