"""A training step: four phases, adaptive augmentation, averaged weights; and a state to resume.

The batch of a step consists of shards. Each shard has its own random streams and its own
minibatch-deviation groups, and gradients are averaged over shards. A process works on one or more
of them, one after the other, so a run with two shards gives the same numbers in one process and in
two, to rounding. Shards also bound the memory that a step takes (path length excepted).
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..augment import AugmentPipe, ada_step
from ..networks import Discriminator, PlainDiscriminator, TwoStageGenerator
from . import distributed
from .batches import ConditionSampler
from .counts import LateReading, Skips
from .ema import ema_decay, ema_update
from .phases import PhaseLosses
from .setup import Streams, TrainOptions, check_setup

PHASES = ("G main", "G path length", "D main", "D R1")


class Trainer:
    """Both networks, the average of G and everything else that a step changes."""

    def __init__(
        self,
        generator: TwoStageGenerator,
        discriminator: Discriminator | PlainDiscriminator,
        optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer],
        options: TrainOptions,
        *,
        streams: Sequence[Streams],
        conditions: ConditionSampler,
        augment: AugmentPipe | str | None,
    ) -> None:
        """Networks and pipe lie on their device; process 0's weights are given to all processes.

        optimizers: of G and D (`build_optimizers`). streams: one a shard of this process, shards
        numbered through all processes in the order of ranks (`shard_streams`).
        conditions: what generated images are asked for. augment: the adaptive pipeline, a policy
        of `diff_augment` or None. Raises ValueError for options that do not fit (`check_setup`).
        """
        check_setup(
            generator,
            discriminator,
            optimizers,
            options,
            shards=len(streams) * distributed.world(),
            conditions=conditions,
            augment=augment,
        )
        distributed.share([generator, discriminator])
        generator.train()
        discriminator.train()
        self.generator, self.discriminator = generator, discriminator
        self.optimizers = dict(zip("GD", optimizers, strict=True))
        self.options, self.augment = options, augment
        self.ema = copy.deepcopy(generator).eval().requires_grad_(False)
        generator.requires_grad_(False)
        discriminator.requires_grad_(False)
        self.losses = PhaseLosses(
            generator,
            discriminator,
            options,
            streams=streams,
            conditions=conditions,
            augment=augment,
        )
        self.images, self.steps = 0, 0
        self.skips = Skips(PHASES, self.losses.device)
        self.late_signs = LateReading()

    def step(self, images: Tensor, conditions: Tensor) -> None:
        """One step: the phases that are due, averaged weights, augmentation probability.

        images: this process's part of the batch, [N, C, H, W] uint8; conditions: [N, c_dim].
        An update whose gradients are not finite is left out. Every `nonfinite_limit` steps (with
        `read_late` at ticks) `check_skips` is called.
        """
        options = self.options
        self.generator_phase()
        if options.path_interval and self.steps % options.path_interval == 0:
            self.path_length_phase()
        self.discriminator_phase(images, conditions)
        if options.r1_interval and self.steps % options.r1_interval == 0:
            self.r1_phase(images, conditions)
        if not options.read_late and (self.steps + 1) % options.nonfinite_limit == 0:
            self.check_skips()
        self._average_weights()
        self.images += options.batch
        self.steps += 1
        if options.ada is not None and self.steps % options.ada.interval == 0:
            self._move_probability()

    def check_skips(self) -> None:
        """Raise FloatingPointError if one phase was left out `nonfinite_limit` times in a row.

        It names phase, loss and image count. To be called by all processes.
        """
        self.skips.check(self.options.nonfinite_limit, self.images)

    def generator_phase(self) -> None:
        """G against D."""
        self._update("G main", self.losses.generator_main())

    def path_length_phase(self) -> None:
        """G's path length regularisation, on a part of the batch."""
        before = self.losses.path_mean
        left_out = self._update("G path length", self.losses.path_length())
        self.losses.path_mean = torch.where(left_out, before, self.losses.path_mean)

    def discriminator_phase(self, images: Tensor, conditions: Tensor) -> None:
        """D on generated and real images; arguments as for `step`."""
        self._update("D main", self.losses.discriminator_main(images, conditions))

    def r1_phase(self, images: Tensor, conditions: Tensor) -> None:
        """D's gradient penalty on real images; arguments as for `step`."""
        self._update("D R1", self.losses.r1(images, conditions))

    def _update(self, phase: str, losses: Iterable[Tensor]) -> Tensor:
        """Average the gradients of the shards' losses and move the phase's network.

        Each loss is differentiated before the next one is asked for. Returns whether the update
        was left out, a bool scalar on the device: nothing here makes the host wait for a GPU.
        """
        side = phase[0]
        network: nn.Module = self.generator if side == "G" else self.discriminator
        optimizer = self.optimizers[side]
        optimizer.zero_grad(set_to_none=True)
        network.requires_grad_(True)
        total = torch.zeros([], device=self.losses.device)
        for loss in losses:
            loss = loss / self.losses.shards
            loss.backward()
            total += loss.detach()
        network.requires_grad_(False)
        norm = distributed.sum_gradients(list(network.parameters()))
        if phase.endswith("main"):
            self.losses.meter.add(f"grad_norm_{side.lower()}", norm)
        left_out = self.skips.count(phase, total, norm)
        optimizer.found_inf = left_out.float()  # type: ignore[attr-defined]  # as GradScaler does
        optimizer.step()
        return left_out

    def _average_weights(self) -> None:
        decay = ema_decay(
            batch=self.options.batch,
            half_life_images=self.options.ema_images,
            images_seen=self.images,
            rampup=self.options.ema_rampup,
        )
        ema_update(self.ema, self.generator, decay=decay)

    def _move_probability(self) -> None:
        ada, meter = self.options.ada, self.losses.ada_meter
        assert ada is not None and isinstance(self.augment, AugmentPipe)
        sums = meter.take_sums()
        signs = self.late_signs.swap(sums) if self.options.read_late else sums
        if signs is None:
            return
        p = ada_step(
            self.augment_p,
            meter.means(signs)["real_sign"],
            target=ada.target,
            images=self.options.batch * ada.interval,
            ramp_kimg=ada.ramp_kimg,
            p_max=self.augment.p_max,
        )
        self.augment.set_p(p)

    @property
    def augment_p(self) -> float:
        """Probability of the adaptive pipeline, 0 without one."""
        return self.augment.p if isinstance(self.augment, AugmentPipe) else 0.0

    def state_dict(self) -> dict[str, Any]:
        """Everything that a step changes: tensors and numbers, safe to load with weights_only.

        To be called by all processes: it gathers their streams and sums their counts. Tensors are
        those of the run itself, so save or copy before the next step.
        """
        losses = self.losses
        return {
            "modules": {name: module.state_dict() for name, module in self._modules().items()},
            "optimizers": {side: one.state_dict() for side, one in self.optimizers.items()},
            "streams": distributed.gather_lists([one.state() for one in losses.streams]),
            "augment_p": self.augment_p,
            "path_mean": losses.path_mean,
            "meter": distributed.sum_(losses.meter.sums.clone()),
            "ada_meter": distributed.sum_(losses.ada_meter.sums.clone()),
            "late_signs": self.late_signs.pending(),
            "counts": {
                "images": self.images,
                "steps": self.steps,
                "skipped": self.skips.total(),
            },
            "skipped_in_a_row": self.skips.rows(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken, in any number of processes with as many shards.

        Learning rates are those of the state. Raises ValueError for another number of shards.
        """
        losses = self.losses
        if len(state["streams"]) != losses.shards:
            raise ValueError(f"state of {len(state['streams'])} shards; this run: {losses.shards}")
        for name, module in self._modules().items():
            module.load_state_dict(state["modules"][name])
        for side, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][side])
        first = distributed.rank() * len(losses.streams)
        for shard, streams in enumerate(losses.streams, first):
            streams.set_state(state["streams"][shard])
        if isinstance(self.augment, AugmentPipe):
            self.augment.set_p(state["augment_p"])
        losses.path_mean = state["path_mean"].to(losses.device, copy=True)
        for name in ("meter", "ada_meter"):  # sums of all processes: kept by the first
            getattr(losses, name).sums.copy_(state[name] * (distributed.rank() == 0))
        self.late_signs.set_pending(state["late_signs"])
        counts = state["counts"]
        self.images, self.steps = counts["images"], counts["steps"]
        self.skips.set(counts["skipped"], state["skipped_in_a_row"])

    def _modules(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator, "ema": self.ema}
