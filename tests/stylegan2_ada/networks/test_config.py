import json

import pytest

from stylegan2_ada.networks.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    channels,
    resolutions,
)

G = GeneratorConfig(
    img_resolution=48,
    img_channels=1,
    c_dim=7,
    z_dim=64,
    w_dim=64,
    mapping_layers=2,
    channel_base=4096,
    channel_max=128,
)
D = DiscriminatorConfig(
    img_resolution=48, img_channels=1, c_dim=7, channel_base=4096, channel_max=128, mbstd_group=4
)


@pytest.mark.parametrize(
    ("size", "want"),
    [(8, [4, 8]), (64, [4, 8, 16, 32, 64]), (6, [3, 6]), (48, [3, 6, 12, 24, 48])],
)
def test_resolutions(size, want):
    assert resolutions(size) == want


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 20, 47, 50, 1000])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=f"img_resolution={size}"):
        resolutions(size)


def test_channels_of_48_pixels_are_those_of_64():
    wide = channels(64, channel_base=4096, channel_max=128)
    assert wide == {4: 128, 8: 128, 16: 128, 32: 128, 64: 64}
    assert list(channels(48, channel_base=4096, channel_max=128).values()) == list(wide.values())


@pytest.mark.parametrize("config", [G, D])
def test_configs_survive_json(config):
    assert type(config).from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_unknown_and_missing_fields_are_named():
    values = G.to_dict()
    values["colour"] = values.pop("img_channels")
    with pytest.raises(ValueError, match=r"unknown fields \['colour'\].*\['img_channels'\]"):
        GeneratorConfig.from_dict(values)


def test_bad_values_are_named():
    for name, value in (("img_channels", 2), ("architecture", "plain"), ("img_resolution", 50)):
        with pytest.raises(ValueError, match=f"{name}={value}"):
            GeneratorConfig.from_dict(G.to_dict() | {name: value})


def test_two_styles_a_block():
    assert G.num_ws == 10
