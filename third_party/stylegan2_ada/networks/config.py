"""What is needed to build the networks again, and the sizes that follow from it."""

from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

ARCHITECTURES = ("orig", "skip", "resnet")
KINDS = ("cgan", "acgan")  # plain networks, see baselines.py
T = TypeVar("T", bound="_Config")


def resolutions(img_resolution: int) -> list[int]:
    """Feature map sizes from the first block to the image, each twice the one before.

    2^k starts from 4 (4, 8, 16, ...), 3 * 2^k from 3 (3, 6, 12, ...).
    Raises ValueError for other sizes and for those with fewer than two blocks.
    """
    sizes = [img_resolution]
    while sizes[0] > 4 and sizes[0] % 2 == 0:
        sizes.insert(0, sizes[0] // 2)
    if sizes[0] not in (3, 4) or len(sizes) < 2:
        raise ValueError(f"img_resolution={img_resolution}: must be 2^k from 8 or 3 * 2^k from 6")
    return sizes


def channels(img_resolution: int, *, channel_base: int, channel_max: int) -> dict[int, int]:
    """Feature maps at each resolution: min(channel_base // resolution, channel_max).

    A network of 3 * 2^k pixels takes the widths of the network of 4 * 2^k pixels, block by block
    (3 as 4, 6 as 8, ... 48 as 64): the two have the same number of blocks, and they differ only
    in the constant and in the discriminator's first dense layer, so one can start from the other.
    """
    sizes = resolutions(img_resolution)
    nominal = [4 * 2**block for block in range(len(sizes))]
    return {
        size: min(channel_base // n, channel_max) for size, n in zip(sizes, nominal, strict=True)
    }


@dataclass(frozen=True)
class _Config:
    """Plain numbers to and from a dictionary (JSON, checkpoint)."""

    def to_dict(self) -> dict[str, Any]:
        """Field names and their values; `from_dict` gives the same object back."""
        return asdict(self)

    @classmethod
    def from_dict(cls: type[T], values: dict[str, Any]) -> T:
        """Raises ValueError naming fields that are unknown or missing."""
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            unknown, missing = sorted(set(values) - names), sorted(names - set(values))
            raise ValueError(f"{cls.__name__}: unknown fields {unknown}, missing fields {missing}")
        return cls(**values)


@dataclass(frozen=True)
class GeneratorConfig(_Config):
    """Constructor arguments of a generator."""

    img_resolution: int  # 2^k or 3 * 2^k pixels
    img_channels: int  # 1 gray, 3 RGB
    c_dim: int  # length of the condition vector; 0: unconditional
    z_dim: int
    w_dim: int
    mapping_layers: int
    channel_base: int  # feature maps times resolution
    channel_max: int
    architecture: str = "skip"  # of the synthesis network: orig | skip | resnet
    conv_clamp: float | None = None  # bound of activations, 256 where float16 is used
    w_avg_beta: float = 0.995  # decay of the running mean of w, per batch

    def __post_init__(self) -> None:
        _check(self.img_resolution, self.img_channels, self.architecture)

    @property
    def num_ws(self) -> int:
        """Style vectors that the synthesis network takes: two a block."""
        return 2 * len(resolutions(self.img_resolution))


@dataclass(frozen=True)
class DiscriminatorConfig(_Config):
    """Constructor arguments of a discriminator."""

    img_resolution: int
    img_channels: int
    c_dim: int
    channel_base: int
    channel_max: int
    mbstd_group: int  # images compared by the minibatch deviation
    mbstd_channels: int = 1  # feature maps of it; 0 turns it off
    mapping_layers: int = 8  # of the condition's embedding
    cmap_dim: int | None = None  # width of the projection; None: that of the last block
    architecture: str = "resnet"  # orig | skip | resnet
    conv_clamp: float | None = None

    def __post_init__(self) -> None:
        _check(self.img_resolution, self.img_channels, self.architecture)


@dataclass(frozen=True)
class PlainGeneratorConfig(_Config):
    """Constructor arguments of a cGAN's or AC-GAN's generator; the two are built alike."""

    kind: str  # cgan | acgan
    img_resolution: int  # 2^k or 3 * 2^k pixels
    img_channels: int  # 1 gray, 3 RGB
    c_dim: int  # length of the condition vector; 0: unconditional (cgan alone)
    z_dim: int
    embed_dim: int  # of the condition
    channel_base: int  # feature maps times resolution, see `channels`
    channel_max: int
    w_avg_beta: float = 0.995  # decay of the running mean of w, per batch

    def __post_init__(self) -> None:
        _check_plain(self.kind, self.img_resolution, self.img_channels, self.c_dim)

    @property
    def w_dim(self) -> int:
        """Length of z beside the embedded condition."""
        return self.z_dim + (self.embed_dim if self.c_dim > 0 else 0)

    @property
    def num_ws(self) -> int:
        """Style vectors that the synthesis network takes."""
        return 1


@dataclass(frozen=True)
class PlainDiscriminatorConfig(_Config):
    """Constructor arguments of a cGAN's or AC-GAN's discriminator."""

    kind: str  # cgan: gets the condition; acgan: predicts it
    img_resolution: int
    img_channels: int
    c_dim: int
    embed_dim: int  # of the condition; acgan has none
    channel_base: int
    channel_max: int

    def __post_init__(self) -> None:
        _check_plain(self.kind, self.img_resolution, self.img_channels, self.c_dim)


def _check(img_resolution: int, img_channels: int, architecture: str) -> None:
    _check_image(img_resolution, img_channels)
    if architecture not in ARCHITECTURES:
        raise ValueError(f"architecture={architecture}: must be one of {', '.join(ARCHITECTURES)}")


def _check_plain(kind: str, img_resolution: int, img_channels: int, c_dim: int) -> None:
    _check_image(img_resolution, img_channels)
    if kind not in KINDS:
        raise ValueError(f"kind={kind}: must be one of {', '.join(KINDS)}")
    if kind == "acgan" and c_dim < 2:
        raise ValueError(f"c_dim={c_dim}: an acgan needs two classes or more")


def _check_image(img_resolution: int, img_channels: int) -> None:
    resolutions(img_resolution)
    if img_channels not in (1, 3):
        raise ValueError(f"img_channels={img_channels}: must be 1 or 3")
