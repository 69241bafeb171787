"""Networks from published pickles of StyleGAN2-ADA."""

from collections.abc import Callable, Mapping
from math import inf
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
    "fused_modconv_default": True,
    "kernel_size": 3,
    "use_noise": True,
    "freeze_layers": 0,
}
# The authors' later code takes the options of the synthesis network beside mapping_kwargs, not
# inside synthesis_kwargs, and has other defaults.
LATER_MAPPING = MAPPING | {"w_avg_beta": 0.998}
LATER_BLOCKS = BLOCKS | {"num_fp16_res": 4, "conv_clamp": 256}
EPILOGUE = {"mbstd_group_size": 4, "mbstd_num_channels": 1, "activation": "lrelu"}
FREE = {"num_layers", "w_avg_beta", "channel_base", "channel_max", "conv_clamp", "architecture"}
FREE |= {"mbstd_group_size", "mbstd_num_channels"}  # kept in our configs
FREE |= {"num_fp16_res", "fp16_channels_last", "freeze_layers", "fused_modconv_default"}  # of speed
LARGEST = 2**20  # of any size that a file may name
SIZES = ("img_resolution", "img_channels", "c_dim")
CONVOLUTIONS = ("SynthesisLayer", "Conv2dLayer")

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
    held = [(name, content.get(name)) for name in ("G", "D", "G_ema")]
    records = {name: record for name, record in held if isinstance(record, Record)}
    later = any(is_later(record) for name, record in records.items() if name != "D")
    networks: dict[str, Any] = {}
    for name, record in records.items():
        network = discriminator(record, later=later) if name == "D" else generator(record)
        networks[name] = network.eval()
    if not networks:
        raise ValueError(f"{source}: holds none of G, D and G_ema")
    return networks


def is_later(record: Record) -> bool:
    """Whether a generator is of the authors' later code: options stand beside mapping_kwargs."""
    arguments = record.init_kwargs
    return "synthesis_kwargs" not in arguments and any(name in arguments for name in BLOCKS)


def generator(record: Record) -> Generator:
    """Our generator with the record's sizes and weights."""
    later = is_later(record)
    arguments = _constructor(record, "Generator")
    mapping = arguments.pop("mapping_kwargs", {})
    mapping = _with_defaults(mapping, LATER_MAPPING if later else MAPPING, "mapping")
    inside = arguments.pop("synthesis_kwargs", {})
    sizes = _taken(arguments, (*SIZES, "z_dim", "w_dim"))
    blocks = _blocks({**inside, **arguments}, record, "synthesis", later=later)
    config = _config(
        GeneratorConfig,
        **sizes,
        mapping_layers=mapping["num_layers"],
        w_avg_beta=mapping["w_avg_beta"],
        channel_base=blocks["channel_base"],
        channel_max=blocks["channel_max"],
        conv_clamp=blocks["conv_clamp"],
        architecture=blocks["architecture"] or "skip",
    )
    return _loaded(Generator, config, record)


def discriminator(record: Record, *, later: bool = False) -> Discriminator:
    """Our discriminator with the record's sizes and weights.

    later: whether its generator is of the later code, which has other defaults.
    """
    arguments = _constructor(record, "Discriminator")
    no_mean = MAPPING | {"w_avg_beta": None}  # this mapping keeps no running mean
    mapping = _with_defaults(arguments.pop("mapping_kwargs", {}), no_mean, "mapping")
    epilogue = _with_defaults(arguments.pop("epilogue_kwargs", {}), EPILOGUE, "epilogue")
    sizes = _taken(arguments, SIZES)
    cmap_dim = arguments.pop("cmap_dim", None)
    options = {**arguments.pop("block_kwargs", {}), **arguments}
    blocks = _blocks(options, record, "discriminator", later=later)
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


def _blocks(options: dict[str, Any], record: Record, part: str, *, later: bool) -> dict[str, Any]:
    """The options of a network's blocks over the defaults of its code.

    What the file leaves out is read from the layers, which keep the bound of their activations.
    """
    blocks = _with_defaults(options, LATER_BLOCKS if later else BLOCKS, part)
    kept = _of_layers(record, "conv_clamp")
    if "conv_clamp" not in options and kept:
        blocks["conv_clamp"] = kept[0]
    clamp = blocks["conv_clamp"]
    is_bound = isinstance(clamp, int | float) and not isinstance(clamp, bool) and 0 < clamp < inf
    if clamp is not None and not is_bound:
        raise ValueError(f"the {part} network has conv_clamp={clamp!r}: no bound of activations")
    return blocks


def _of_layers(record: Record, name: str) -> list[Any]:
    """What the convolutions inside a network keep under this name."""
    kept, waiting = [], [record]
    visited: set[int] = set()
    while waiting:
        layer = waiting.pop()
        if id(layer) in visited:
            continue
        visited.add(id(layer))
        if layer.class_name in CONVOLUTIONS and name in layer.state:
            kept.append(layer.state[name])
        inner = layer.state.get("_modules", {}).values()
        waiting += [one for one in inner if isinstance(one, Record)]
    return kept


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
        tensors = weights(record)
        if misfit := _misfit(network.state_dict(), tensors):
            raise ValueError(misfit)
        network.load_state_dict(tensors, strict=True, assign=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"weights do not fit the {record.class_name}: {error}") from None
    return network


def _misfit(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """How the file's tensors differ from a network's: how many, and the first; "" if they fit."""
    shapes, own = ({k: tuple(v.shape) for k, v in part.items()} for part in (wanted, given))
    names = [name for name in {**shapes, **own} if shapes.get(name) != own.get(name)]
    if not names:
        return ""
    first = names[0]
    sizes = f"{own.get(first, 'none')}, expected {shapes.get(first, 'none')}"
    return f"{len(names)} of {len(shapes)} tensors differ, such as {first} ({sizes})"


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
