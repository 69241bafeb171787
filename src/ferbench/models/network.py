"""What every classifier network is to the rest of ferbench."""

from __future__ import annotations

from torch import Tensor, nn


class Network(nn.Module):
    """Maps [N, 1, H, H] images in [-1, 1] to [N, classes] logits.

    head: the final linear layer; it stands last, and its input is what `embed` returns. Dropout
    between the two is allowed. Layers stand in the order in which an image passes them.
    """

    head: nn.Linear

    def embed(self, x: Tensor) -> Tensor:
        """[N, 1, H, H] images to [N, F] features: what the head sees."""
        raise NotImplementedError
