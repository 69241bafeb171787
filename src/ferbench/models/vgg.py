"""A VGG for 48 x 48 gray faces."""

from __future__ import annotations

from torch import Tensor, nn

from ferbench.models.cnn import ConvNormRelu
from ferbench.models.network import Network


class Vgg(Network):
    """Four stages of two convolutions and a max-pooling, then three linear layers.

    The network of Khaireddin & Chen 2021 (arXiv 2105.03588), itself after Simonyan & Zisserman 2015
    with batch normalization (Ioffe & Szegedy 2015); the channels are this project's choice.

    width: channels of the first stage; the stages have 1, 2, 4 and 8 times as many, the hidden
    linear layers 16 times.
    dropout: before the second and the third linear layer.
    Maps [N, in_channels, 48, 48] in [-1, 1] to [N, classes] logits; any size from 16 px up works,
    because the last map is averaged to 3 x 3 (at 48 px it is 3 x 3 already).
    """

    def __init__(self, classes: int, *, in_channels: int = 1, dropout: float, width: int) -> None:
        super().__init__()
        w, hidden = width, 16 * width
        self.stages = nn.Sequential(
            _stage(in_channels, w),  # 24
            _stage(w, 2 * w),  # 12
            _stage(2 * w, 4 * w),  # 6
            _stage(4 * w, 8 * w),  # 3
        )
        self.pool = nn.AdaptiveAvgPool2d(3)
        self.hidden = nn.Sequential(
            nn.Flatten(),
            _linear(8 * w * 3 * 3, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            _linear(hidden, hidden),
            nn.ReLU(inplace=True),
        )
        self.drop = nn.Dropout(dropout)
        self.head = _linear(hidden, classes)

    def embed(self, x: Tensor) -> Tensor:
        """[N, 16 * width] features: what the head sees."""
        return self.hidden(self.pool(self.stages(x)))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """[N, in_channels, H, W] images to [N, classes] logits."""
        return self.head(self.drop(self.embed(x)))  # type: ignore[no-any-return]


def _stage(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two convolutions and a halving of the resolution."""
    return nn.Sequential(
        ConvNormRelu(in_channels, out_channels),
        ConvNormRelu(out_channels, out_channels),
        nn.MaxPool2d(2),
    )


def _linear(in_features: int, out_features: int) -> nn.Linear:
    """Linear layer, weights after He et al. 2015, biases zero."""
    layer = nn.Linear(in_features, out_features)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer
