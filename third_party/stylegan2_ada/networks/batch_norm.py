"""Batch normalisation whose running statistics are moved by the trainer, once a step."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-5


class BatchNorm(nn.Module):
    """Normalises each feature map (Ioffe & Szegedy 2015, arXiv 1502.03167).

    In training mode by mean and variance of the images given, which `seen` keeps; in evaluation
    mode by `statistics`, so that an image does not depend on its batch. A forward pass changes no
    buffer: shards and processes first average what they saw, then `statistics` moves toward it.
    """

    statistics: Tensor
    beta = 0.9  # decay of the running statistics, per step

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        initial = torch.stack([torch.zeros(features), torch.ones(features)])
        self.register_buffer("statistics", initial)  # [2, features]: mean, variance
        self.seen: Tensor | None = None  # the same of the last batch, variance unbiased

    def forward(self, x: Tensor) -> Tensor:
        """[N, features, H, W] to the same shape and dtype; statistics are taken in float32."""
        mean, variance = self.statistics.clone() if self.training else self.statistics
        x = F.batch_norm(
            x, mean, variance, self.weight, self.bias, training=self.training, momentum=1.0, eps=EPS
        )
        if self.training:
            self.seen = torch.stack([mean, variance])  # momentum 1: replaced by the batch's
        return x
