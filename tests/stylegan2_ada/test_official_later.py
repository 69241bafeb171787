"""Pickles of the authors' later code: options stand beside mapping_kwargs, with other defaults."""

import pickle
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import stylegan2_ada as sg
from stylegan2_ada import load_official
from stylegan2_ada.official import LATER_BLOCKS, is_later
from stylegan2_ada.safe_pickle import read_pickle

SIZES = {"img_resolution": 16, "img_channels": 1, "c_dim": 7}
WIDTHS = {"channel_base": 128, "channel_max": 16}
LAYERS = ("conv0", "conv1", "conv", "fromrgb")


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> None:
    raise AssertionError("nothing of the file is called by its name")


class Kept:
    """Pickles as the later code writes a network or a layer."""

    def __init__(self, module: nn.Module, name: str, **state: Any) -> None:
        inner = {
            key: Kept(child, "SynthesisLayer" if key in LAYERS else "Block", **state)
            for key, child in module.named_children()
        }
        kept = {} if name in ("Generator", "Discriminator") else state
        self.state = {
            "_parameters": {k: p.data for k, p in module.named_parameters(recurse=False)},
            "_buffers": dict(module.named_buffers(recurse=False)),
            "_modules": inner,
            **kept,
        }
        self.meta = {"type": "class", "version": 6, "module_src": "exit()", "class_name": name}

    def __reduce__(self):
        return _reconstruct_persistent_obj, (self.meta | {"state": self.state},)


@pytest.fixture
def networks(monkeypatch):
    """A small generator and discriminator, and the name by which the file knows its function."""
    module = ModuleType("torch_utils.persistence")
    module._reconstruct_persistent_obj = _reconstruct_persistent_obj
    monkeypatch.setitem(sys.modules, "torch_utils", ModuleType("torch_utils"))
    monkeypatch.setitem(sys.modules, "torch_utils.persistence", module)
    monkeypatch.setattr(_reconstruct_persistent_obj, "__module__", "torch_utils.persistence")
    torch.manual_seed(0)
    sizes = {**SIZES, **WIDTHS, "conv_clamp": 256}
    g = sg.Generator(sg.GeneratorConfig(**sizes, z_dim=8, w_dim=8, mapping_layers=2))
    d = sg.Discriminator(sg.DiscriminatorConfig(**sizes, mbstd_group=4))
    return g.eval(), d.eval()


@pytest.fixture
def write(networks, tmp_path):
    """write(generator=options, discriminator=options, layers=state): the file's path."""

    def written(generator=None, discriminator=None, layers=None):
        content = {}
        for name, network in zip(("G_ema", "D"), networks, strict=True):
            kept = Kept(network, type(network).__name__, **(layers or {}))
            own = {"mapping_kwargs": {"num_layers": 2}, "z_dim": 8, "w_dim": 8}
            own |= WIDTHS if generator is None else generator
            theirs = WIDTHS if discriminator is None else discriminator
            options = own if name == "G_ema" else {"mapping_kwargs": {}, **theirs}
            kept.state["_init_kwargs"] = {**SIZES, **options}
            content[name] = kept
        path = tmp_path / "later.pkl"
        path.write_bytes(pickle.dumps(content, protocol=4))
        return path

    return written


def test_options_beside_mapping_kwargs_are_read(networks, write):
    """Widths, and the bound of the activations: the images are those of the network written."""
    options = WIDTHS | {"conv_clamp": 256, "num_fp16_res": 4, "fused_modconv_default": "inference"}
    read = load_official(write(generator=options))
    g = read["G_ema"]
    assert (g.config.channel_base, g.config.channel_max) == (128, 16)
    assert g.config.conv_clamp == 256
    z, c = torch.randn(2, 8, generator=torch.Generator().manual_seed(1)), torch.eye(7)[:2]
    with torch.no_grad():
        np.testing.assert_array_equal(g(z, c).numpy(), networks[0](z, c).numpy())
        x = torch.zeros(4, 1, 16, 16)
        c = torch.eye(7)[:4]
        np.testing.assert_array_equal(read["D"](x, c).numpy(), networks[1](x, c).numpy())


def test_what_is_left_out_is_as_in_the_later_code(write):
    """It bounds activations by 256, and averages w with 0.998; the older code has None, 0.995."""
    read = load_official(write())
    assert read["G_ema"].config.conv_clamp == read["D"].config.conv_clamp == 256
    assert read["G_ema"].config.w_avg_beta == 0.998
    assert LATER_BLOCKS["num_fp16_res"] == 4


@pytest.mark.parametrize("clamp", [None, 64.0])
def test_the_layers_say_what_the_arguments_leave_out(write, clamp):
    read = load_official(write(layers={"conv_clamp": clamp}))
    assert read["G_ema"].config.conv_clamp == read["D"].config.conv_clamp == clamp


def test_arguments_count_before_layers(write):
    options = WIDTHS | {"conv_clamp": 32}
    read = load_official(write(options, options, layers={"conv_clamp": 64}))
    assert read["G_ema"].config.conv_clamp == read["D"].config.conv_clamp == 32


def test_the_older_layout_is_told_from_the_later(write):
    inside = {"synthesis_kwargs": WIDTHS | {"conv_clamp": 8}}
    path = write(inside)
    assert not is_later(read_pickle(path.read_bytes())["G_ema"])
    assert load_official(path)["G_ema"].config.conv_clamp == 8
    assert load_official(write({"synthesis_kwargs": WIDTHS}))["G_ema"].config.conv_clamp is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"magnitude_ema_beta": 0.999},
            "the synthesis network has magnitude_ema_beta=0.999, wh",
        ),
        ({"use_noise": False}, "the synthesis network has use_noise=False, which is not supported"),
        ({"conv_clamp": "256"}, "the synthesis network has conv_clamp='256': no bound"),
        ({"conv_clamp": float("nan")}, "the synthesis network has conv_clamp=nan: no bound"),
        (
            {"channel_max": 8},
            "weights do not fit the Generator: 22 of 58 tensors differ, such as ",
        ),
    ],
)
def test_what_is_not_understood_is_one_short_line(write, options, message):
    with pytest.raises(ValueError, match=r"network|weights") as refused:
        load_official(write(WIDTHS | options))
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 160
