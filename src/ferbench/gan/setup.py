"""From a recipe and faces to what the training loop of `stylegan2_ada` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import stylegan2_ada as sg
from ferbench.classes import CLASSES
from ferbench.data import label_counts
from ferbench.data.resize import resize
from ferbench.errors import UserError
from ferbench.gan.trained import TrainedGenerator, condition_table
from ferbench.recipes.gan import GanRecipe

W_AVG_BETA = 0.995  # decay of the running mean of w, as published
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Material:
    """Faces as a GAN learns from them.

    images: [N, H, W] or [N, 3, H, W] uint8. labels: [N] int64. conditions: [N, c_dim] float32.
    kinds: [K, c_dim], the conditions that exist: one a class, or a single empty one.
    names: of the K kinds.
    """

    images: np.ndarray
    labels: np.ndarray
    conditions: Tensor
    kinds: Tensor
    names: tuple[str, ...]

    @property
    def class_counts(self) -> dict[str, int]:
        """Images of each class, by name."""
        return label_counts.by_class(self.labels)


def material(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    res: int,
    channels: int,
    conditional: bool,
    scalar_label: bool = False,
) -> Material:
    """Faces at the size of the networks with one-hot conditions, or none.

    images: [N, H, W] uint8; channels: 3 repeats the gray one. scalar_label: the condition is the
    label as one number, which is how not to do it. Raises UserError for labels that cannot
    condition a generator.
    """
    if conditional:
        check_labels(labels)
    pixels = resize(images, res)
    if channels == 3:
        pixels = np.repeat(pixels[:, None], 3, axis=1)
    if not conditional:
        empty = torch.zeros(len(labels), 0)
        return Material(pixels, labels, empty, empty[:1], ("all",))
    kinds = condition_table(1 if scalar_label else len(CLASSES), len(CLASSES))
    return Material(pixels, labels, kinds[torch.from_numpy(np.array(labels))], kinds, CLASSES)


def check_labels(labels: np.ndarray) -> None:
    """Refuse labels of which a generator would not learn every class.

    A single number as the condition, or a class that never occurs, trains without an error and
    draws the wrong expression; so labels must be whole numbers that name all classes.
    """
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f"labels are {labels.dtype} {labels.shape}; expected one whole number a face "
            "(gan.conditional=false trains without)"
        )
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= len(CLASSES):
        raise UserError(
            f"labels: unlabeled faces, or numbers outside 0 to {len(CLASSES) - 1}; "
            "gan.conditional=false trains without labels"
        )
    lacking = sorted(set(range(len(CLASSES))) - set(np.unique(labels).tolist()))
    if lacking:
        names = ", ".join(CLASSES[i] for i in lacking)
        raise UserError(f"labels: no face of {names}; expected all of {', '.join(CLASSES)}")


def histogram(counts: dict[str, int]) -> str:
    """Counts by class as lines of text with bars."""
    most = max(counts.values())
    bars = {name: "#" * max(round(30 * n / most), n > 0) for name, n in counts.items()}
    return "\n".join(f"  {name:<9}{n:>7,} {bars[name]}" for name, n in counts.items())


def class_shares(labels: np.ndarray, how: str) -> np.ndarray:
    """Share of each class while training, [7] float64: its natural one to the power 1, 1/2 or 0."""
    power = {"natural": 1.0, "sqrt": 0.5, "balanced": 0.0}[how]
    counts = label_counts.class_counts(labels).astype(np.float64)
    shares = np.where(counts > 0, np.maximum(counts, 1) ** power, 0)
    found: np.ndarray = shares / shares.sum()
    return found


def real_batches(
    faces: Material, recipe: GanRecipe, *, seed: int, device: torch.device
) -> sg.RealBatches:
    """Endless real batches; natural sampling shows every face once in an epoch."""
    weights = None
    if recipe.class_sampling != "natural":
        shares = class_shares(faces.labels, recipe.class_sampling)
        counts = label_counts.class_counts(faces.labels)
        weights = torch.from_numpy((shares / np.maximum(counts, 1))[faces.labels])
    return sg.RealBatches(
        faces.images,
        faces.conditions,
        batch=recipe.batch,
        generator=torch.Generator().manual_seed(seed),
        mirror=recipe.mirror,
        weights=weights,
        device=device,
    )


def trainer(
    recipe: GanRecipe,
    faces: Material,
    *,
    start: TrainedGenerator | None,
    precision: str,
    shards: int,
    own_shards: range,
    seed: int,
    device: torch.device,
) -> sg.Trainer:
    """Networks, optimizers and loop; torch's own generator is seeded for the initial weights.

    start: networks to go on from, None for new ones. precision: fp32, bf16 or fp16.
    own_shards: numbers of the shards of this process, of `shards` in all.
    """
    assert recipe.batch % shards == 0
    torch.manual_seed(seed)
    generator, discriminator = (
        networks(recipe, faces, precision=precision) if start is None else _started(start)
    )
    generator.train().requires_grad_(True).to(device)
    discriminator.train().requires_grad_(True).to(device)
    optimizers = sg.build_optimizers(
        generator,
        discriminator,
        lr=recipe.lr,
        betas=(recipe.adam_beta1, recipe.adam_beta2),
        eps=recipe.adam_eps,
        path_interval=recipe.path_interval,
        r1_interval=recipe.r1_interval,
    )
    augment = _augment(recipe, start)
    return sg.Trainer(
        generator,
        discriminator,
        optimizers,
        options(recipe, precision, device),
        streams=[sg.shard_streams(seed, shard, device=device) for shard in own_shards],
        conditions=_wanted_conditions(recipe, faces),
        augment=augment.to(device) if isinstance(augment, sg.AugmentPipe) else augment,
    )


def networks(recipe: GanRecipe, faces: Material, *, precision: str) -> tuple[Any, Any]:
    """New generator and discriminator with weights from torch's own generator.

    Only float16 has too small a range for activations: without it they have no bound, as in the
    published code, which saves a pass over memory in each direction.
    """
    sizes = {
        "kind": recipe.kind,
        "img_resolution": faces.images.shape[-1],
        "img_channels": 1 if faces.images.ndim == 3 else faces.images.shape[1],
        "c_dim": faces.kinds.shape[1],
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


def options(recipe: GanRecipe, precision: str, device: torch.device) -> sg.TrainOptions:
    """What the loop is told."""
    dtype = DTYPES[precision]
    ada = sg.AdaOptions(recipe.ada_target, recipe.ada_interval, recipe.ada_ramp_kimg)
    return sg.TrainOptions(
        batch=recipe.batch,
        r1_gamma=recipe.r1_gamma,
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
        read_late=device.type == "cuda",
    )


def _wanted_conditions(recipe: GanRecipe, faces: Material) -> sg.ConditionSampler:
    """Labels for G with the shares that D sees of the real classes."""
    if len(faces.kinds) == 1:
        return sg.condition_sampler(faces.kinds)
    shares = torch.from_numpy(class_shares(faces.labels, recipe.class_sampling))
    return sg.condition_sampler(faces.kinds, shares)


def _augment(recipe: GanRecipe, start: TrainedGenerator | None) -> sg.AugmentPipe | str | None:
    """The pipeline of the recipe; a generator that went on with ada starts from its probability."""
    if recipe.augment in ("ada", "fixed"):
        pipe = sg.AugmentPipe(sg.pipe(recipe.pipe), p_max=recipe.p_max)
        known = start.facts.get("augment_p") if start and recipe.augment == "ada" else None
        pipe.set_p(recipe.augment_p if known is None else float(known))
        return pipe
    return recipe.diff_policy if recipe.augment == "diffaugment" else None


def _started(start: TrainedGenerator) -> tuple[Any, Any]:
    if start.discriminator is None:
        raise UserError(f"resume={start.source}: holds no discriminator; training needs one")
    return start.network, start.discriminator
