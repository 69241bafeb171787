"""Batch normalisation whose running statistics are moved by the trainer, once a step."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-5


class BatchNorm(nn.Module):
    """Normalises each feature map (Ioffe & Szegedy 2015, arXiv 1502.03167).

    In training mode by mean and variance of the batch, which `batch_statistics` keeps; in
    evaluation mode by `statistics`, so that an image does not depend on its batch. A forward pass
    changes no buffer: the trainer averages `batch_statistics` over shards and processes, then
    moves `statistics` toward that average.
    """

    statistics: Tensor
    beta = 0.9  # decay of the running statistics, per step

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        initial = torch.stack([torch.zeros(features), torch.ones(features)])
        self.register_buffer("statistics", initial)  # [2, features]: mean, variance
        self.batch_statistics: Tensor | None = None  # of the last batch, variance unbiased

    def forward(self, x: Tensor) -> Tensor:
        """[N, features, H, W] to the same shape and dtype; statistics are taken in float32."""
        mean, variance = self.statistics.clone() if self.training else self.statistics
        x = F.batch_norm(
            x, mean, variance, self.weight, self.bias, training=self.training, momentum=1.0, eps=EPS
        )
        if self.training:
            # momentum 1 has replaced both by the batch's
            self.batch_statistics = torch.stack([mean, variance])
        return x
