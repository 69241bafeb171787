"""From a recipe and faces to what the training loop of `stylegan2_ada` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import stylegan2_ada as sg
from ferbench.data.label_counts import class_counts
from ferbench.errors import UserError
from ferbench.gan.faces import GanFaces, class_shares
from ferbench.gan.trained import TrainedGenerator
from ferbench.recipes.gan import GanRecipe, GanSchedule
from ferbench.recipes.switch import switch

W_AVG_BETA = 0.995  # decay of the running mean of w, as published
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Setting:
    """What a training's numbers depend on besides recipe and faces.

    seed: of initial weights, draws and the order of the faces. precision: fp32, bf16 or fp16.
    """

    seed: int
    precision: str
    device: torch.device


@dataclass(frozen=True)
class Shards:
    """Parts of each batch with random streams of their own: `own` are those of this process."""

    count: int
    own: range


@dataclass(frozen=True)
class Training:
    """A training under way: how, on what, the networks with their loop, and the real batches.

    settings: a hash of what its numbers depend on in the recipe, which its states are marked with.
    """

    recipe: GanRecipe
    faces: GanFaces
    trainer: sg.Trainer
    batches: sg.RealBatches
    settings: str = ""

    @property
    def kimg(self) -> float:
        """Thousands of real images shown so far."""
        return self.trainer.images / 1000


def real_batches(recipe: GanRecipe, faces: GanFaces, setting: Setting) -> sg.RealBatches:
    """Endless real batches; natural sampling shows every face once in an epoch."""
    weights = None
    if recipe.class_sampling != "natural":
        shares = class_shares(faces.labels, recipe.class_sampling)
        counts = class_counts(faces.labels)
        weights = torch.from_numpy((shares / np.maximum(counts, 1))[faces.labels])
    return sg.RealBatches(
        faces.images,
        faces.conditions,
        batch=recipe.batch,
        generator=torch.Generator().manual_seed(setting.seed),
        mirror=recipe.mirror,
        weights=weights,
        device=setting.device,
    )


def trainer(
    recipe: GanRecipe,
    faces: GanFaces,
    setting: Setting,
    shards: Shards,
    *,
    start: TrainedGenerator | None,
) -> sg.Trainer:
    """Networks, optimizers and loop; torch's own generator is seeded for the initial weights.

    start: networks to go on from, None for new ones.
    """
    assert recipe.batch % shards.count == 0
    seed, device = setting.seed, setting.device
    torch.manual_seed(seed)
    generator, discriminator = (
        networks(recipe, faces, precision=setting.precision) if start is None else _started(start)
    )
    generator.train().requires_grad_(True).to(device)
    discriminator.train().requires_grad_(True).to(device)
    augment = _augment(recipe, start)
    return sg.Trainer(
        generator,
        discriminator,
        _optimizers(recipe, generator, discriminator),
        options(recipe, setting),
        streams=[sg.shard_streams(seed, shard, device=device) for shard in shards.own],
        conditions=_conditions(recipe, faces, device),
        augment=augment.to(device) if isinstance(augment, sg.AugmentPipe) else augment,
    )


def _optimizers(recipe: GanRecipe, generator: Any, discriminator: Any) -> Any:
    return sg.build_optimizers(
        generator,
        discriminator,
        lr=recipe.lr,
        betas=(recipe.adam_beta1, recipe.adam_beta2),
        eps=recipe.adam_eps,
        path_interval=recipe.path_interval,
        r1_interval=recipe.r1_interval,
    )


def networks(recipe: GanRecipe, faces: GanFaces, *, precision: str) -> tuple[Any, Any]:
    """New generator and discriminator with weights from torch's own generator.

    Only float16 has too small a range for activations: without it they have no bound, as in the
    published code, which saves a pass over memory in each direction.
    """
    sizes = {
        "kind": recipe.kind,
        "img_resolution": faces.images.shape[-1],
        "img_channels": 1 if faces.images.ndim == 3 else faces.images.shape[1],
        "c_dim": faces.class_conditions.shape[1],
        "channel_base": recipe.channel_base,
        "channel_max": recipe.channel_max,
    }
    if recipe.kind == "stylegan2":
        clamp = recipe.conv_clamp if precision == "fp16" else None
        generator, discriminator = _styled(recipe, clamp)
    else:
        generator = {"z_dim": recipe.z_dim, "embed_dim": recipe.w_dim, "w_avg_beta": W_AVG_BETA}
        discriminator = {"embed_dim": recipe.w_dim}
    return sg.generator_of(sizes | generator), sg.discriminator_of(sizes | discriminator)


def _styled(recipe: GanRecipe, clamp: float | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the configs of StyleGAN2's two networks hold besides sizes."""
    generator = {
        "z_dim": recipe.z_dim,
        "w_dim": recipe.w_dim,
        "mapping_layers": recipe.mapping_layers,
        "architecture": "skip",
        "conv_clamp": clamp,
        "w_avg_beta": W_AVG_BETA,
    }
    discriminator = {
        "mbstd_group": recipe.mbstd_group,
        "mbstd_channels": 1,
        "mapping_layers": recipe.d_mapping_layers,
        "cmap_dim": None,
        "architecture": recipe.architecture,
        "conv_clamp": clamp,
    }
    return generator, discriminator


def options(recipe: GanRecipe, setting: Setting) -> sg.TrainOptions:
    """The recipe as options of the loop."""
    dtype = DTYPES[setting.precision]
    ada = sg.AdaOptions(recipe.ada_target, recipe.ada_interval, recipe.ada_ramp_kimg)
    return sg.TrainOptions(
        batch=recipe.batch,
        loss=recipe.loss,
        r1_gamma=recipe.r1_gamma,
        r2_gamma=recipe.r2_gamma,
        r1_interval=recipe.r1_interval,
        path_weight=recipe.path_weight,
        path_interval=recipe.path_interval,
        path_decay=recipe.path_decay,
        path_shrink=recipe.path_shrink,
        style_mixing=recipe.style_mixing,
        label_smoothing=recipe.label_smoothing,
        aux_weight=recipe.aux_weight,
        ema_images=recipe.ema_kimg * 1000,
        ema_rampup=recipe.ema_rampup,
        noise=recipe.noise,
        reuse_fakes=recipe.reuse_fakes,
        dtype=dtype,
        regularizer_dtype=torch.float32 if recipe.regularizer_fp32 else dtype,
        compile=recipe.compile,
        ada=ada if recipe.augment == "ada" else None,
        nonfinite_limit=recipe.nonfinite_limit,
        graphs=switch("gan.graphs", recipe.graphs),
        schedules=_schedules(recipe.schedule),
    )


def _schedules(schedule: GanSchedule) -> sg.Schedules:
    """Points by kimg as the loop's points by images."""

    def points(pairs: list[list[float]]) -> tuple[tuple[float, float], ...]:
        return tuple((1000 * kimg, factor) for kimg, factor in pairs)

    return sg.Schedules(points(schedule.lr), points(schedule.penalty), points(schedule.augment_p))


def _conditions(recipe: GanRecipe, faces: GanFaces, device: torch.device) -> sg.ConditionSampler:
    """Labels for G with the shares that D sees of the real classes."""
    rows = faces.class_conditions.to(device)
    if len(rows) == 1:
        return sg.condition_sampler(rows)
    shares = torch.from_numpy(class_shares(faces.labels, recipe.class_sampling))
    return sg.condition_sampler(rows, shares)


def _augment(recipe: GanRecipe, start: TrainedGenerator | None) -> sg.AugmentPipe | str | None:
    """The pipeline of the recipe; a generator that went on with ada starts from its probability."""
    if recipe.augment in ("ada", "fixed"):
        pipe = sg.AugmentPipe(sg.pipe(recipe.pipe), p_max=recipe.p_max)
        last = start.facts.get("augment_p") if start and recipe.augment == "ada" else None
        pipe.set_p(recipe.augment_p if last is None else float(last))
        return pipe
    return recipe.diff_policy if recipe.augment == "diffaugment" else None


def _started(start: TrainedGenerator) -> tuple[Any, Any]:
    if start.discriminator is None:
        raise UserError(f"resume={start.source}: holds no discriminator; training needs one")
    return start.network, start.discriminator
