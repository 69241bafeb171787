"""Losses and regularisers as functions of logits, images and styles."""

import torch
import torch.nn.functional as F
from torch import Tensor

LOSSES = ("logistic", "relativistic")


def generator_loss(fake_logits: Tensor) -> Tensor:
    """-log sigmoid(logits), the non-saturating loss of Goodfellow et al. 2014; [N] to [N]."""
    return F.softplus(-fake_logits)


def discriminator_fake_loss(fake_logits: Tensor) -> Tensor:
    """-log(1 - sigmoid(logits)) of generated images, [N] to [N]."""
    return F.softplus(fake_logits)


def discriminator_real_loss(real_logits: Tensor) -> Tensor:
    """-log sigmoid(logits) of real images, [N] to [N]."""
    return F.softplus(-real_logits)


def relativistic_loss(margins: Tensor) -> Tensor:
    """-log sigmoid(margins), [N] to [N]: the pairing loss of R3GAN (Huang et al. 2024, eq. 2).

    margins: for D the logit of each real image above that of the generated image it is paired
    with, for G the reverse.
    """
    return F.softplus(-margins)


def class_loss(class_logits: Tensor, c: Tensor) -> Tensor:
    """-sum_k c_k log softmax(class_logits)_k: AC-GAN's L_C (Odena et al. 2017, eq. 3), negated.

    class_logits: [N, K]; c: [N, K] class probabilities, one-hot for labels. [N] is returned.
    """
    return F.cross_entropy(class_logits, c, reduction="none")


def gradient_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Squared gradient norm of D at images: R1 on real ones (Mescheder et al. 2018, eq. 9).

    On generated images it is R2, eq. 10.

    logits: [N] float32, computed from `images`.
    images: [N, C, H, W] float32 in [-1, 1], requires_grad.
    Returns [N] float32; the caller scales it by gamma / 2 and averages.
    Raises RuntimeError (from autograd) if `images` does not require grad.
    """
    (grad,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return grad.flatten(1).square().sum(1)


def path_lengths(images: Tensor, ws: Tensor, directions: Tensor) -> Tensor:
    """|J^T y| of the generator, root mean square over its layers (Karras et al. 2020, eq. 4).

    images: [N, C, H, W] float32, computed from ws; ws: [N, num_ws, w_dim], requires_grad.
    directions: y, normal noise of the images' shape; divided by sqrt(H * W) here.
    Returns [N] float32.
    """
    scale = (images.shape[2] * images.shape[3]) ** -0.5
    product = (images * directions).sum() * scale
    (grad,) = torch.autograd.grad(product, ws, create_graph=True)
    return grad.square().sum(2).mean(1).sqrt()


def path_length_penalty(lengths: Tensor, mean: Tensor, *, decay: float) -> tuple[Tensor, Tensor]:
    """Squared distance of the lengths [N] from their running mean, and the next mean (a scalar).

    The mean moves by `decay` of the way toward this batch first; no gradient flows through it.
    """
    mean = mean.lerp(lengths.detach().mean(), decay)
    return (lengths - mean).square(), mean


def lazy_adam(
    lr: float, betas: tuple[float, float], *, interval: int
) -> tuple[float, tuple[float, float]]:
    """Adam's settings where a regulariser runs as a step of its own every `interval` steps.

    Each interval then holds interval + 1 steps: with m = interval / (interval + 1), lr becomes
    lr * m and each beta becomes beta^m (Karras et al. 2020, section 3.1, appendix B).
    """
    m = interval / (interval + 1)
    return lr * m, (betas[0] ** m, betas[1] ** m)
