"""Which augmentations the adaptive pipeline applies, and their named groups."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AugmentConfig:
    """Strength of each augmentation (its probability is p * strength; 0: off), and its range."""

    # Blit
    xflip: float = 0.0
    rotate90: float = 0.0
    xint: float = 0.0
    xint_max: float = 0.125  # share of the image
    # Geometry
    scale: float = 0.0
    scale_std: float = 0.2  # log2
    rotate: float = 0.0
    rotate_max: float = 1.0  # half turns
    aniso: float = 0.0
    aniso_std: float = 0.2  # log2
    xfrac: float = 0.0
    xfrac_std: float = 0.125  # share of the image
    # Color
    brightness: float = 0.0
    brightness_std: float = 0.2
    contrast: float = 0.0
    contrast_std: float = 0.5  # log2
    lumaflip: float = 0.0
    hue: float = 0.0
    hue_max: float = 1.0  # half turns
    saturation: float = 0.0
    saturation_std: float = 1.0  # log2
    # Filter
    imgfilter: float = 0.0  # of each of the four bands
    imgfilter_std: float = 1.0  # log2
    # Corruption
    noise: float = 0.0
    noise_std: float = 0.1  # deviation of the noise's deviation
    cutout: float = 0.0
    cutout_size: float = 0.5  # share of the image


_GROUPS = {
    "blit": ("xflip", "rotate90", "xint"),
    "geom": ("scale", "rotate", "aniso", "xfrac"),
    "color": ("brightness", "contrast", "lumaflip", "hue", "saturation"),
    "filter": ("imgfilter",),
    "noise": ("noise",),
    "cutout": ("cutout",),
}
PIPES = {name: [name] for name in _GROUPS} | {
    "bg": ["blit", "geom"],
    "bgc": ["blit", "geom", "color"],
    "bgcf": ["blit", "geom", "color", "filter"],
    "bgcfn": ["blit", "geom", "color", "filter", "noise"],
    "bgcfnc": ["blit", "geom", "color", "filter", "noise", "cutout"],
}


def pipe(name: str) -> AugmentConfig:
    """The augmentations of a named pipe at full strength; "none" has none.

    "bgc" is the paper's choice. Raises ValueError for an unknown name.
    """
    if name != "none" and name not in PIPES:
        raise ValueError(f"pipe={name}: must be one of none, {', '.join(PIPES)}")
    members = [member for group in PIPES.get(name, []) for member in _GROUPS[group]]
    strengths: dict[str, Any] = dict.fromkeys(members, 1.0)
    return AugmentConfig(**strengths)
