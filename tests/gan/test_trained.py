"""Generators in files: what is written is what is read, and what is refused."""

import json
import runpy
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import stylegan2_ada as sg
from ferbench.classes import CLASSES
from ferbench.errors import UserError, is_network
from ferbench.gan import trained

CPU = torch.device("cpu")
PUBLISHED = Path(__file__).parents[1] / "reference" / "official_layout.pkl"
SCRIPTS = Path(__file__).parents[2] / "scripts"
FACTS = {"classes": list(CLASSES), "res": 12, "kimg": 1.5}


def pair() -> tuple[sg.Generator, sg.Discriminator]:
    torch.manual_seed(0)
    sizes = {"img_resolution": 12, "img_channels": 1, "c_dim": 7, "channel_base": 64}
    sizes["channel_max"] = 8
    g = sg.Generator(sg.GeneratorConfig(**sizes, z_dim=4, w_dim=4, mapping_layers=2))
    return g, sg.Discriminator(sg.DiscriminatorConfig(**sizes, mbstd_group=2))


def edited(path: Path, **changes: str) -> Path:
    """The file with other metadata."""
    with safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, metadata | changes)
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    trained.save(tmp_path / "latest.safetensors", *pair(), FACTS)
    return tmp_path / "latest.safetensors"


def test_what_is_saved_is_loaded_to_half_precision(saved: Path) -> None:
    found = trained.load(saved, device=CPU)
    assert found.facts == FACTS
    assert found.classes == CLASSES
    assert found.discriminator is not None
    for module, own in zip(pair(), (found.network, found.discriminator), strict=True):
        for name, value in module.state_dict().items():
            torch.testing.assert_close(own.state_dict()[name], value, rtol=1e-3, atol=1e-6)


def test_a_file_to_share_holds_no_discriminator(saved: Path, tmp_path: Path) -> None:
    """scripts/share_generator.py: the same generator, and nothing of the other network."""
    share = runpy.run_path(str(SCRIPTS / "share_generator.py"))["share"]
    shared = tmp_path / "shared.safetensors"
    share(saved, shared)
    found, own = (trained.load(path, device=CPU) for path in (shared, saved))
    assert found.discriminator is None
    assert found.facts == own.facts
    for name, value in own.network.state_dict().items():
        torch.testing.assert_close(found.network.state_dict()[name], value, rtol=0, atol=0)
    with safe_open(shared, "pt") as file:
        assert not [name for name in file.keys() if not name.startswith("G_ema.")]  # noqa: SIM118
        assert "D" not in json.loads(file.metadata()["configs"])
    with pytest.raises(FileExistsError):
        share(saved, shared)


@pytest.mark.parametrize(("name", "holds_discriminator"), [("fer48", True), ("fer48-long", False)])
def test_what_is_shipped_is_found_by_its_name(name: str, holds_discriminator: bool) -> None:
    found = trained.load(name, device=CPU)
    assert (found.classes, found.network.config.img_resolution) == (CLASSES, 48)
    assert (found.discriminator is not None) == holds_discriminator
    assert f"{name}," in trained.EXPECTED or f"{name})" in trained.EXPECTED


def test_a_folder_means_its_best_weights_else_the_latest(saved: Path) -> None:
    assert trained.load(saved.parent, device=CPU).facts["kimg"] == 1.5
    trained.save(saved.parent / "best.safetensors", *pair(), FACTS | {"kimg": 1.0})
    assert trained.load(saved.parent, device=CPU).facts["kimg"] == 1.0


def test_a_weight_beyond_half_precision_is_not_written(tmp_path: Path) -> None:
    """float16 ends at 65,504."""
    g, d = pair()
    with torch.no_grad():
        g.synthesis.b12.torgb.bias.fill_(1e5)
    with pytest.raises(FloatingPointError, match="not finite in float16"):
        trained.save(tmp_path / "x.safetensors", g, d, FACTS)
    assert list(tmp_path.iterdir()) == []


def test_a_published_pickle_is_read() -> None:
    found = trained.load(PUBLISHED, device=CPU)
    config = found.network.config
    assert len(found.classes) == config.c_dim
    assert found.discriminator is not None
    assert found.discriminator.config.img_resolution == config.img_resolution == 32
    images = sg.sample(found.network, [0, 1], torch.eye(7)[:2], psi=0.7)
    assert images.shape == (2, 1, 32, 32)
    assert images.isfinite().all()
    assert not any(p.requires_grad for p in found.network.parameters())


def shared_form() -> tuple[dict[str, tuple[int, ...]], dict[str, dict]]:
    """Names and shapes of the tensors and the configs of a shared file, written out: 6 pixels."""
    sizes = {"img_resolution": 6, "img_channels": 1, "c_dim": 7, "channel_base": 64}
    sizes |= {"channel_max": 4, "mapping_layers": 2, "conv_clamp": None}
    g = {"z_dim": 4, "w_dim": 4, "architecture": "skip", "w_avg_beta": 0.995}
    d = {"mbstd_group": 4, "mbstd_channels": 1, "cmap_dim": None, "architecture": "resnet"}
    shapes: dict[str, tuple[int, ...]] = {
        "G_ema.mapping.w_avg": (4,),
        "G_ema.synthesis.b3.const": (4, 3, 3),
        "D.b6.skip.weight": (4, 4, 1, 1),
    }
    weights = {"D.b6.fromrgb": (4, 1, 1, 1), "D.b3.conv": (4, 5, 3, 3), "D.b3.fc": (4, 36)}
    weights |= {f"D.b6.conv{i}": (4, 4, 3, 3) for i in (0, 1)} | {"D.b3.out": (4, 4)}
    for network, fc0 in (("G_ema", 8), ("D", 4)):
        names = (f"{network}.mapping.{layer}" for layer in ("embed", "fc0", "fc1"))
        weights |= dict(zip(names, ((4, 7), (4, fc0), (4, 4)), strict=True))
    for name, px in (("b3.conv1", 3), ("b6.conv0", 6), ("b6.conv1", 6)):
        layer = f"G_ema.synthesis.{name}"
        shapes |= {f"{layer}.noise_const": (px, px), f"{layer}.noise_strength": ()}
        weights |= {layer: (4, 4, 3, 3), f"{layer}.affine": (4, 4)}
    for block in ("G_ema.synthesis.b3", "G_ema.synthesis.b6"):
        weights |= {f"{block}.torgb": (1, 4, 1, 1), f"{block}.torgb.affine": (4, 4)}
    for name, shape in weights.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    filtered = [
        "G_ema.synthesis." + name for name in ("b3", "b3.conv1", "b6", "b6.conv0", "b6.conv1")
    ]
    filtered += ["D.b6" + name for name in ("", ".fromrgb", ".conv0", ".conv1", ".skip")]
    shapes |= {f"{name}.resample_filter": (4, 4) for name in [*filtered, "D.b3.conv"]}
    return shapes, {"G_ema": sizes | g, "D": sizes | d}


@pytest.mark.parametrize("parts", [("G_ema",), ("G_ema", "D")])
def test_a_shared_file_is_loaded_as_it_was_written(parts: tuple[str, ...], tmp_path: Path) -> None:
    """The form of files that are out in the world; no code of the library has a part in it."""
    shapes, configs = shared_form()
    tensors = {
        name: torch.randn(shape).half()
        for name, shape in shapes.items()
        if name.partition(".")[0] in parts
    }
    facts = FACTS | {
        "res": 6,
        "data": "fer2013",
        "class_counts": dict.fromkeys(CLASSES, 1),
        "seed": 0,
    }
    configs = {part: configs[part] for part in parts}
    metadata = {"format": "1", "configs": json.dumps(configs), "facts": json.dumps(facts)}
    save_file(tensors, tmp_path / "shared.safetensors", metadata)
    loaded = trained.load(tmp_path / "shared.safetensors", device=CPU)
    assert (loaded.facts, loaded.classes) == (facts, CLASSES)
    networks = {"G_ema": loaded.network, "D": loaded.discriminator}
    assert (networks["D"] is not None) == ("D" in parts)
    for name, value in tensors.items():
        part, _, inner = name.partition(".")
        assert torch.equal(networks[part].state_dict()[inner], value.float())
    assert sg.sample(loaded.network, [0], torch.eye(7)[:1]).shape == (1, 1, 6, 6)


def test_a_missing_generator_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no generator"):
        trained.load(tmp_path, device=CPU)
    with pytest.raises(UserError, match=r"no such file or folder"):
        trained.load(tmp_path / "none", device=CPU)


def test_a_cut_file_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a whole safetensors file"):
        trained.load(saved, device=CPU)


def test_a_flipped_bit_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match="damaged, its weights are not those that were written"):
        trained.load(saved, device=CPU)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="not the weights of a generator"):
        trained.load(tmp_path / "x.safetensors", device=CPU)


def test_a_file_that_does_not_say_its_format_is_of_the_first(saved: Path) -> None:
    wanted = trained.load(saved, device=CPU).network.state_dict()
    with safe_open(saved, "pt") as file:
        metadata = {key: file.metadata()[key] for key in ("configs", "facts")}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, saved, metadata)
    found = trained.load(saved, device=CPU)
    assert (found.facts, found.classes) == (FACTS, CLASSES)
    for name, value in found.network.state_dict().items():
        assert torch.equal(value, wanted[name])


@pytest.mark.parametrize("form", ["2", "", "made\nelsewhere"])
def test_another_format_is_refused_in_one_line(saved: Path, form: str) -> None:
    with pytest.raises(UserError, match=r"another version of ferbench .*: use that") as caught:
        trained.load(edited(saved, format=form), device=CPU)
    assert "\n" not in str(caught.value)


def test_what_is_saved_says_its_format(saved: Path) -> None:
    with safe_open(saved, "pt") as file:
        assert file.metadata()["format"] == trained.FORMAT == "1"


def test_another_class_order_is_refused(saved: Path) -> None:
    facts = json.dumps(FACTS | {"classes": sorted(CLASSES, reverse=True)})
    with pytest.raises(UserError, match=r"its classes are .*'surprise'.*expected"):
        trained.load(edited(saved, facts=facts), device=CPU)


@pytest.mark.parametrize("configs", ["{", "[]", '{"G_ema": {"kind": "biggan"}, "D": {}}'])
def test_a_description_that_does_not_fit_is_refused(saved: Path, configs: str) -> None:
    with pytest.raises(UserError, match="does not fit its description"):
        trained.load(edited(saved, configs=configs), device=CPU)


def test_other_sizes_than_described_are_refused(saved: Path) -> None:
    with safe_open(saved, "pt") as file:
        configs = json.loads(file.metadata()["configs"])
    configs["G_ema"]["channel_max"] = 4
    with pytest.raises(UserError, match="does not fit its description"):
        trained.load(edited(saved, configs=json.dumps(configs)), device=CPU)


@pytest.mark.parametrize(
    ("source", "network"),
    [("a/run", False), ("a/x.pkl", True), ("x.safetensors", True), ("https://h/x", True)],
)
def test_networks_are_told_from_folders(source: str, network: bool) -> None:
    assert is_network(source) is network
