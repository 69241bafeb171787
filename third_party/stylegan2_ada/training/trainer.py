"""A training step: four phases, adaptive augmentation, averaged weights; and a state to resume.

The batch of a step consists of shards. Each shard has its own random streams and its own
minibatch-deviation groups, and gradients are averaged over shards. A process works on one or more
of them, one after the other, so a run with two shards gives the same numbers in one process and in
two, to rounding. Shards also bound the memory that a step takes (path length excepted).

A step reads nothing from its device, and no shape in it depends on a value there: what it draws
comes from generators of the device, and what it counts stays there. So a GPU can be given each
phase as one CUDA graph (`captured.Graphs`). On a CPU alone the probability of the augmentation is
read, to leave it out at 0.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..augment import AugmentPipe, ada_step
from ..networks import Discriminator, PlainDiscriminator, TwoStageGenerator
from . import distributed
from .batches import ConditionSampler
from .captured import open_graphs
from .counts import Skips
from .ema import ema_decay, ema_update
from .phases import PhaseLosses
from .schedule import factor_at
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
        self.reals: tuple[Tensor, Tensor] | None = None  # images and conditions of this step
        self.renewed = torch.ones([], device=self.losses.device)  # share of the average
        self.base_lr = {
            side: float(one.param_groups[0]["lr"]) for side, one in self.optimizers.items()
        }
        self.base_p = self.augment_p
        self.lr = {
            side: torch.tensor(rate, device=self.losses.device)
            for side, rate in self.base_lr.items()
        }
        self._hand_over_lr()
        if isinstance(augment, AugmentPipe):
            augment.skip_at_zero = self.losses.device.type == "cpu"
        self.graphs = open_graphs(
            options.graphs,
            self.losses.device,
            [one for stream in streams for one in (stream.latents, stream.augment, stream.noise)],
        )

    def step(self, images: Tensor, conditions: Tensor) -> None:
        """One step: the phases that are due, averaged weights, augmentation probability.

        images: this process's part of the batch, [N, C, H, W] uint8; conditions: [N, c_dim].
        An update whose gradients are not finite is left out; `check_skips` tells.
        """
        options = self.options
        self.take(images, conditions)
        self.run_phase("G main")
        if options.path_interval and self.steps % options.path_interval == 0:
            self.run_phase("G path length")
        self.run_phase("D main")
        if options.r1_interval and self.steps % options.r1_interval == 0:
            self.run_phase("D R1")
        self._average_weights()
        self.images += options.batch
        self.steps += 1
        if options.ada is not None and self.steps % options.ada.interval == 0:
            self._run("ADA", self._move_probability)

    def take(self, images: Tensor, conditions: Tensor) -> None:
        """Make these the real images of the phases that follow; arguments as for `step`."""
        self._follow_schedules()
        if self.graphs is None or self.reals is None:
            self.reals = (images, conditions)
        if self.graphs is not None:  # graphs know one place
            if self.reals[0] is images:
                self.reals = (images.clone(), conditions.clone())
            for place, value in zip(self.reals, (images, conditions), strict=True):
                place.copy_(value)

    def run_phase(self, phase: str) -> None:
        """One of PHASES, on the images taken."""
        self._run(phase, partial(self._update, phase))

    def check_skips(self) -> None:
        """Raise FloatingPointError if one phase was left out `nonfinite_limit` times in a row.

        It names phase, loss and image count. To be called by all processes; waits for the device.
        """
        self.skips.check(self.options.nonfinite_limit, self.images)

    def _run(self, name: str, part: Callable[[], object]) -> None:
        if self.graphs is None:
            part()
        else:
            self.graphs.run(name, part)

    def _update(self, phase: str) -> None:
        """Average the gradients of the shards' losses and move the phase's network.

        Each loss is differentiated before the next one is asked for. An update whose gradients
        are not finite is left out by the optimizer, on the device.
        """
        side = phase[0]
        network: nn.Module = self.generator if side == "G" else self.discriminator
        optimizer = self.optimizers[side]
        optimizer.zero_grad(set_to_none=True)
        network.requires_grad_(True)
        total = torch.zeros([], device=self.losses.device)
        for loss in self._losses_of(phase):
            loss = loss / self.losses.shards
            loss.backward()
            total += loss.detach()
        network.requires_grad_(False)
        norm = distributed.sum_gradients(list(network.parameters()))
        if phase.endswith("main"):
            self.losses.meter.add(**{f"grad_norm_{side.lower()}": norm})
        left_out = self.skips.count(phase, total, norm)
        optimizer.found_inf = left_out.float()  # type: ignore[attr-defined]  # as GradScaler does
        optimizer.step()
        if phase == "G path length":
            self.losses.move_path_mean(left_out)

    def _losses_of(self, phase: str) -> Iterable[Tensor]:
        assert self.reals is not None, "take() real images first"
        losses = self.losses
        if phase == "G path length":
            return losses.path_length()
        phases = (losses.generator_main, losses.discriminator_main, losses.penalties)
        return dict(zip(("G main", "D main", "D R1"), phases, strict=True))[phase](*self.reals)

    def _average_weights(self) -> None:
        decay = ema_decay(
            batch=self.options.batch,
            half_life_images=self.options.ema_images,
            images_seen=self.images,
            rampup=self.options.ema_rampup,
        )
        self.renewed.fill_(1 - decay)
        update = partial(ema_update, self.ema, self.generator, renewed=self.renewed)
        self._run("averages", update)

    @torch.no_grad()
    def _move_probability(self) -> None:
        ada, meter = self.options.ada, self.losses.ada_meter
        assert ada is not None and isinstance(self.augment, AugmentPipe)
        signs = meter.take_sums()[0]
        p = ada_step(
            self.augment.p,
            signs[0] / signs[1],
            target=ada.target,
            images=self.options.batch * ada.interval,
            ramp_kimg=ada.ramp_kimg,
            p_max=self.augment.p_max,
        )
        self.augment.p.copy_(p)

    def _follow_schedules(self) -> None:
        """Bring what changes over the run to its value at this image count, on the device."""
        schedules, images = self.options.schedules, self.images
        if schedules.lr:
            for side, rate in self.lr.items():
                rate.fill_(self.base_lr[side] * factor_at(schedules.lr, images))
        if schedules.penalty:
            self.losses.penalty_factor.fill_(factor_at(schedules.penalty, images))
        if schedules.augment_p:
            assert isinstance(self.augment, AugmentPipe)
            self.augment.set_p(self.base_p * factor_at(schedules.augment_p, images))

    def _hand_over_lr(self) -> None:
        """Give the optimizers the learning rates that lie on the device."""
        for side, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.lr[side]

    @property
    def augment_p(self) -> float:
        """Probability of the adaptive pipeline, 0 without one; reading it waits for the device."""
        return float(self.augment.p) if isinstance(self.augment, AugmentPipe) else 0.0

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
            "counts": {
                "images": self.images,
                "steps": self.steps,
                "skipped": self.skips.total(),
            },
            "skipped_in_a_row": self.skips.rows(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken, in any number of processes with as many shards.

        Learning rates are those of this run. Raises ValueError for another number of shards.
        """
        losses = self.losses
        if len(state["streams"]) != losses.shards:
            raise ValueError(f"state of {len(state['streams'])} shards; this run: {losses.shards}")
        for name, module in self._modules().items():
            module.load_state_dict(state["modules"][name])
        for side, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][side])
        self._hand_over_lr()
        first = distributed.rank() * len(losses.streams)
        for shard, streams in enumerate(losses.streams, first):
            streams.set_state(state["streams"][shard])
        if isinstance(self.augment, AugmentPipe):
            self.augment.set_p(state["augment_p"])
        losses.path_mean.copy_(state["path_mean"])
        for name in ("meter", "ada_meter"):  # sums of all processes: kept by the first
            getattr(losses, name).sums.copy_(state[name] * (distributed.rank() == 0))
        counts = state["counts"]
        self.images, self.steps = counts["images"], counts["steps"]
        self.skips.set(counts["skipped"], state["skipped_in_a_row"])
        if self.graphs is not None:
            self.graphs.forget()

    def _modules(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator, "ema": self.ema}
