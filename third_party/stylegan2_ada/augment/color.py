"""Color augmentations, image-space filtering, noise and cutout (limited data, appendix B)."""

from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops import to_device
from .affine import gray_projection, matrix, turn_about_gray
from .config import AugmentConfig
from .draws import Draws

# Expected power of natural images in the filter's four bands, lowest first: about 1 / frequency.
BAND_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
# Half-band low-pass filter of length 7, the autocorrelation of the sym2 wavelet.
HALF_BAND = (-1 / 32, 0, 9 / 32, 16 / 32, 9 / 32, 0, -1 / 32)


def color_map(draws: Draws, config: AugmentConfig, *, channels: int) -> Tensor | None:
    """[N, 4, 4]: homogeneous map of RGB in [-1, 1]; None if all are off.

    Hue and saturation are left out for gray images, which have neither.
    """
    device = draws.generator.device
    gray, one = gray_projection(device), torch.eye(4, device=device)
    steps = []
    if config.brightness > 0:
        b = draws.gated(draws.normal() * config.brightness_std, 0, config.brightness)
        steps.append(matrix([[1, 0, 0, b], [0, 1, 0, b], [0, 0, 1, b], [0, 0, 0, 1]]))
    if config.contrast > 0:
        k = draws.gated((draws.normal() * config.contrast_std).exp2(), 1, config.contrast)
        steps.append(matrix([[k, 0, 0, 0], [0, k, 0, 0], [0, 0, k, 0], [0, 0, 0, 1]]))
    if config.lumaflip > 0:
        flip = draws.gated(draws.choice(2), 0, config.lumaflip)
        steps.append(one - 2 * gray * flip[:, None, None])
    if config.hue > 0 and channels > 1:
        angle = draws.gated(draws.symmetric() * pi * config.hue_max, 0, config.hue)
        steps.append(turn_about_gray(angle))
    if config.saturation > 0 and channels > 1:
        s = draws.gated((draws.normal() * config.saturation_std).exp2(), 1, config.saturation)
        steps.append(gray + (one - gray) * s[:, None, None])
    if not steps:
        return None
    total = steps[0]
    for step in steps[1:]:
        total = step @ total
    return total


def recolor(images: Tensor, color: Tensor) -> Tensor:
    """Apply `color` [N, 4, 4] to images [N, 3 or 1, H, W]; gray ones as R = G = B, averaged."""
    color = to_device(color, images.device).to(images)
    if images.shape[1] == 3:
        mixed = torch.einsum("noc,nchw->nohw", color[:, :3, :3], images)
        return mixed + color[:, :3, 3, None, None]
    gain = color[:, :3, :3].sum([1, 2]) / 3
    offset = color[:, :3, 3].mean(1)
    return images * gain[:, None, None, None] + offset[:, None, None, None]


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


def band_gains(draws: Draws, config: AugmentConfig) -> Tensor:
    """[N, 4] log-normal gains of the bands, each step keeping the expected power."""
    power = torch.tensor(BAND_POWER, device=draws.generator.device)
    total = torch.ones(draws.images, len(BAND_POWER), device=draws.generator.device)
    for band in range(len(BAND_POWER)):
        gain = (draws.normal() * config.imgfilter_std).exp2()
        gains = torch.ones_like(total)
        gains[:, band] = draws.gated(gain, 1, config.imgfilter)
        total = total * gains / (power * gains.square()).sum(1, keepdim=True).sqrt()
    return total


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
    at = torch.arange(-reach, size + reach, device=device) % max(2 * size - 2, 1)
    return torch.minimum(at, 2 * size - 2 - at)


def cut_out(images: Tensor, center: Tensor, size: Tensor) -> Tensor:
    """Set a square of `size` [N] (share of the image) around `center` [N, 2] (x, y) to zero."""
    height, width = images.shape[2:]
    x = (torch.arange(width, device=images.device) + 0.5) / width
    y = (torch.arange(height, device=images.device) + 0.5) / height
    size, center = (to_device(x, images.device).to(images) for x in (size, center))
    half = size[:, None] / 2
    outside_x = (x - center[:, :1]).abs() >= half  # [N, W]
    outside_y = (y - center[:, 1:]).abs() >= half  # [N, H]
    keep = outside_x[:, None, None, :] | outside_y[:, None, :, None]
    return images * keep
