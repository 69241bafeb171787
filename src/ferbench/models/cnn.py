"""The project's own small network for 48 x 48 gray faces."""

from __future__ import annotations

from torch import Tensor, nn

from ferbench.models.network import Network


class ConvNormRelu(nn.Sequential):
    """3 x 3 convolution, batch normalization, ReLU; `pool` halves the size before the norm.

    Maps [N, C, H, W] to [N, D, H, W], or [N, D, H/2, W/2]. Pooling first costs a quarter of the
    norm and changes nothing where its scale is positive: both norm and ReLU are monotonic then.
    """

    def __init__(self, in_channels: int, out_channels: int, *, pool: bool = False) -> None:
        conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        pools = [nn.MaxPool2d(2)] if pool else []
        super().__init__(conv, *pools, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """x + f(x) with f two ConvNormRelu (He et al. 2016, arXiv 1512.03385); keeps the shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*(ConvNormRelu(channels, channels) for _ in range(2)))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        return x + self.body(x)


class Cnn(Network):
    """Four conv-norm-ReLU-pool stages, three of them residual, and a fully connected head.

    width: channels of the first stage; the others have 2, 4 and 8 times as many.
    Maps [N, in_channels, 48, 48] in [-1, 1] to [N, classes] logits; any size from 16 px up works,
    because the last feature map is averaged.
    """

    def __init__(self, classes: int, *, in_channels: int = 1, dropout: float, width: int) -> None:
        super().__init__()
        w = width
        self.features = nn.Sequential(
            ConvNormRelu(in_channels, w, pool=True),  # 24 px
            ConvNormRelu(w, 2 * w),
            Residual(2 * w),
            ConvNormRelu(2 * w, 4 * w, pool=True),  # 12 px
            Residual(4 * w),
            Residual(4 * w),
            ConvNormRelu(4 * w, 8 * w, pool=True),  # 6 px
            Residual(8 * w),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(8 * w, classes)

    def embed(self, x: Tensor) -> Tensor:
        """[N, 8 * width] features: what the head sees."""
        return self.features(x)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in_channels, H, W] to [N, classes] logits."""
        return self.head(self.drop(self.embed(x)))
