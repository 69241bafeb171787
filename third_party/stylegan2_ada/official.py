"""Networks from published pickles of StyleGAN2-ADA."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import urlopen

import torch
from torch import Tensor, nn

from .networks import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig
from .safe_pickle import Record, read_pickle

# Published defaults of arguments that a file may leave out, and that these networks fix.
MAPPING = {
    "num_layers": 8,
    "embed_features": None,
    "layer_features": None,
    "activation": "lrelu",
    "lr_multiplier": 0.01,
    "w_avg_beta": 0.995,
}
BLOCKS = {
    "channel_base": 32768,
    "channel_max": 512,
    "num_fp16_res": 0,
    "conv_clamp": None,
    "architecture": None,
    "resample_filter": [1, 3, 3, 1],
    "activation": "lrelu",
    "fp16_channels_last": False,
    "kernel_size": 3,
    "use_noise": True,
    "freeze_layers": 0,
}
EPILOGUE = {"mbstd_group_size": 4, "mbstd_num_channels": 1, "activation": "lrelu"}
FREE = {"num_layers", "w_avg_beta", "channel_base", "channel_max", "conv_clamp", "architecture"}
FREE |= {"mbstd_group_size", "mbstd_num_channels"}  # kept in our configs
FREE |= {"num_fp16_res", "fp16_channels_last", "freeze_layers"}  # of no weight
LARGEST = 2**20  # of any size that a file may name
SIZES = ("img_resolution", "img_channels", "c_dim")

C = TypeVar("C")
N = TypeVar("N", bound=nn.Module)


def load_official(source: str | Path, *, max_bytes: int = 2**30) -> dict[str, Any]:
    """G, D and G_ema of a published .pkl, as far as the file has them, in evaluation mode.

    source: a file, or a URL that starts with http:// or https://.
    Nothing in the file is run; see `safe_pickle`. Raises UnsafePickleError naming what the file
    asks for beyond weights, ValueError for a file that is damaged, larger than max_bytes, or of
    networks with options that ours do not have, and OSError where it cannot be read.
    """
    content = read_pickle(_read(str(source), max_bytes))
    networks = {}
    for name, build in (("G", generator), ("D", discriminator), ("G_ema", generator)):
        if isinstance(content.get(name), Record):
            networks[name] = build(content[name]).eval()
    if not networks:
        raise ValueError(f"{source}: holds none of G, D and G_ema")
    return networks


def generator(record: Record) -> Generator:
    """Our generator with the record's sizes and weights."""
    arguments = _constructor(record, "Generator")
    mapping = _with_defaults(arguments.pop("mapping_kwargs", {}), MAPPING, "mapping")
    blocks = _with_defaults(arguments.pop("synthesis_kwargs", {}), BLOCKS, "synthesis")
    config = _config(
        GeneratorConfig,
        **_taken(arguments, (*SIZES, "z_dim", "w_dim")),
        mapping_layers=mapping["num_layers"],
        w_avg_beta=mapping["w_avg_beta"],
        channel_base=blocks["channel_base"],
        channel_max=blocks["channel_max"],
        conv_clamp=blocks["conv_clamp"],
        architecture=blocks["architecture"] or "skip",
    )
    return _loaded(Generator, config, record)


def discriminator(record: Record) -> Discriminator:
    """Our discriminator with the record's sizes and weights."""
    arguments = _constructor(record, "Discriminator")
    no_mean = MAPPING | {"w_avg_beta": None}  # this mapping keeps no running mean
    mapping = _with_defaults(arguments.pop("mapping_kwargs", {}), no_mean, "mapping")
    epilogue = _with_defaults(arguments.pop("epilogue_kwargs", {}), EPILOGUE, "epilogue")
    sizes = _taken(arguments, SIZES)
    cmap_dim = arguments.pop("cmap_dim", None)
    blocks = {**arguments.pop("block_kwargs", {}), **arguments}
    blocks = _with_defaults(blocks, BLOCKS, "discriminator")
    config = _config(
        DiscriminatorConfig,
        **sizes,
        channel_base=blocks["channel_base"],
        channel_max=blocks["channel_max"],
        conv_clamp=blocks["conv_clamp"],
        architecture=blocks["architecture"] or "resnet",
        mbstd_group=epilogue["mbstd_group_size"],
        mbstd_channels=epilogue["mbstd_num_channels"],
        mapping_layers=mapping["num_layers"],
        cmap_dim=cmap_dim,
    )
    return _loaded(Discriminator, config, record)


def _constructor(record: Record, expected: str) -> dict[str, Any]:
    if record.class_name != expected:
        raise ValueError(f"the pickle holds a {record.class_name}, expected a {expected}")
    if record.state.get("_init_args"):
        raise ValueError(f"the {expected} was built with arguments by position")
    return record.init_kwargs


def _taken(arguments: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Remove and return the arguments that have no default."""
    missing = [name for name in names if name not in arguments]
    if missing:
        raise ValueError(f"the pickle lacks {', '.join(missing)}")
    return {name: arguments.pop(name) for name in names}


def _with_defaults(options: dict[str, Any], defaults: dict[str, Any], part: str) -> dict[str, Any]:
    """The file's options over the defaults; options that our networks lack are refused by name."""
    for name, value in options.items():
        if name not in defaults or (name not in FREE and value != defaults[name]):
            raise ValueError(f"the {part} network has {name}={value!r}, which is not supported")
    return defaults | options


def _config(kind: type[C], **values: Any) -> C:
    """kind(**values); a file may claim anything, so sizes are checked before they allocate."""
    for name, value in values.items():
        if isinstance(value, int) and not 0 <= value <= LARGEST:
            raise ValueError(f"the pickle has {name}={value}: must be in [0, {LARGEST}]")
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"the pickle's sizes are no sizes: {error}") from None


def _loaded(kind: Callable[[C], N], config: C, record: Record) -> N:
    """The network, built without memory, with the file's tensors."""
    try:
        with torch.device("meta"):
            network = kind(config)
        network.load_state_dict(weights(record), strict=True, assign=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"weights do not fit the {record.class_name}: {error}") from None
    return network


def weights(record: Record) -> dict[str, Tensor]:
    """Parameters and buffers of a record and the records inside it, by dotted name."""
    state = record.state
    tensors = {**state.get("_parameters", {}), **state.get("_buffers", {})}
    named = {name: tensor.float() for name, tensor in tensors.items() if isinstance(tensor, Tensor)}
    for name, inner in state.get("_modules", {}).items():
        if isinstance(inner, Record):
            named |= {f"{name}.{key}": tensor for key, tensor in weights(inner).items()}
    return named


def _read(source: str, max_bytes: int) -> bytes:
    if source.startswith(("http://", "https://")):
        with urlopen(source, timeout=60) as answer:
            data: bytes = answer.read(max_bytes + 1)
    else:
        with Path(source).open("rb") as file:
            data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"{source}: larger than {max_bytes} bytes")
    return data
