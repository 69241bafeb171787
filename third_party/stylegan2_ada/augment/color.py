"""Color augmentations, image-space filtering and cutout (limited data, appendix B)."""

from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import AugmentConfig
from .draws import Drawn, Term
from .reflection import reflected_index

# Expected power of natural images in the filter's four bands, lowest first: about 1 / frequency.
BAND_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
# Half-band low-pass filter of length 7, the autocorrelation of the sym2 wavelet.
HALF_BAND = (-1 / 32, 0, 9 / 32, 16 / 32, 9 / 32, 0, -1 / 32)


def color_terms(config: AugmentConfig) -> list[Term]:
    """What the color transformations draw; nothing if all are off."""
    every = [
        Term("brightness", "normal", config.brightness_std, config.brightness),
        Term("contrast", "normal", config.contrast_std, config.contrast),
        Term("lumaflip", "choice", 2, config.lumaflip),
        Term("hue", "uniform", pi * config.hue_max, config.hue),
        Term("saturation", "normal", config.saturation_std, config.saturation),
    ]
    return every if any(term.strength > 0 for term in every) else []


def filter_terms(config: AugmentConfig) -> list[Term]:
    """What the filter draws, band by band; nothing if it is off."""
    every = Term(
        "imgfilter",
        "normal",
        config.imgfilter_std,
        config.imgfilter,
        size=len(BAND_POWER),
        own_gates=True,
    )
    return [every] if config.imgfilter > 0 else []


def color_basis() -> Tensor:
    """[3, 9] float32: maps of RGB. The identity, the projection on the gray axis (1, 1, 1) and the
    cross product with its unit vector.
    """
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / 3**0.5
    return torch.stack([torch.eye(3), torch.full([3, 3], 1 / 3), cross]).flatten(1)


def recolor(images: Tensor, drawn: Drawn, basis: Tensor) -> Tensor:
    """Brightness, contrast, flip of the gray axis, hue and saturation of [N, 3 or 1, H, W].

    All of them act on the gray axis and on the plane across it by themselves, so together they are
    three numbers an image (Rodrigues' formula) and an offset. A gray image has only the axis.
    """
    gain = (1 - 2 * drawn["lumaflip"]) * drawn["contrast"].exp2()  # [N, 1], of the gray axis
    offset = (gain * drawn["brightness"])[:, :, None, None].to(images)
    if images.shape[1] == 1:
        return torch.addcmul(offset, images, gain[:, :, None, None].to(images))
    across = (drawn["contrast"] + drawn["saturation"]).exp2()
    cos, sin = across * drawn["hue"].cos(), across * drawn["hue"].sin()
    color = (torch.cat([cos, gain - cos, sin], 1) @ basis).reshape(-1, 3, 3).to(images)
    return (color @ images.flatten(2)).reshape(images.shape) + offset


def filter_bank() -> Tensor:
    """[4, 43] float32: taps that split a signal in octaves, [0, pi/8] first; they sum to delta.

    With the half-band low-pass L(z) and high-pass H(z) = L(-z) the bands are
    L(z) L(z^2) L(z^4), L(z) L(z^2) H(z^4), L(z) H(z^2) and H(z).
    """
    low = torch.tensor(HALF_BAND, dtype=torch.float64)
    high = low * torch.tensor([-1.0, 1.0] * 4, dtype=torch.float64)[:7]
    lows = [_stretched(low, 2**i) for i in range(3)]
    highs = [_stretched(high, 2**i) for i in range(3)]
    bands = [highs[0], _convolved(lows[0], highs[1])]
    two = _convolved(lows[0], lows[1])
    bands += [_convolved(two, highs[2]), _convolved(two, lows[2])]
    size = len(bands[-1])
    padded = [F.pad(band, [(size - len(band)) // 2] * 2) for band in reversed(bands)]
    return torch.stack(padded).float()


def _stretched(taps: Tensor, step: int) -> Tensor:
    """taps(z^step): step - 1 zeros between neighbours."""
    wide = taps.new_zeros((len(taps) - 1) * step + 1)
    wide[::step] = taps
    return wide


def _convolved(a: Tensor, b: Tensor) -> Tensor:
    return F.conv1d(a[None, None], b.flip(0)[None, None], padding=len(b) - 1)[0, 0]


def filter_taps(drawn: Drawn, bank: Tensor, power: Tensor) -> Tensor:
    """[N, 43]: the bands of `bank` by log-normal gains, each of which keeps the expected power.

    power: [4], BAND_POWER, which sums to 1. Gains of 1 give the unit impulse to the bit.
    """
    gains = drawn["imgfilter"].exp2()  # [N, 4]
    gains = gains / (1 + power * (gains.square() - 1)).sqrt().prod(1, keepdim=True)
    taps = (gains - 1) @ bank
    taps[:, bank.shape[1] // 2] += 1
    return taps


def filter_images(images: Tensor, taps: Tensor) -> Tensor:
    """Correlate image i with taps[i] along both axes, reflecting edges.

    images: [N, C, H, W]; taps: [N, K], K odd.
    """
    n, c, height, width = images.shape
    reach = taps.shape[1] // 2
    x = images.index_select(2, _reflected(height, reach, images.device))
    x = x.index_select(3, _reflected(width, reach, images.device))
    kernel = taps.to(x).repeat_interleave(c, 0)[:, None]  # [N * C, 1, K]
    x = x.reshape(1, n * c, *x.shape[2:])
    x = F.conv2d(x, kernel[:, :, None, :], groups=n * c)
    x = F.conv2d(x, kernel[:, :, :, None], groups=n * c)
    return x.reshape(n, c, height, width)


def _reflected(size: int, reach: int, device: torch.device) -> Tensor:
    """Indices -reach to size - 1 + reach, reflected as often as it takes (0 1 2 1 0 1 ...)."""
    return reflected_index(torch.arange(-reach, size + reach, device=device), size)


def cut_out(images: Tensor, center: Tensor, size: Tensor) -> Tensor:
    """Set a square of `size` [N, 1] (share of the image) around `center` [N, 2] (x, y) to zero."""
    height, width = images.shape[2:]
    x = (torch.arange(width, device=images.device) + 0.5) / width
    y = (torch.arange(height, device=images.device) + 0.5) / height
    half, center = size.to(images) / 2, center.to(images)
    outside_x = (x - center[:, :1]).abs() >= half  # [N, W]
    outside_y = (y - center[:, 1:]).abs() >= half  # [N, H]
    keep = outside_x[:, None, None, :] | outside_y[:, None, :, None]
    return images * keep
