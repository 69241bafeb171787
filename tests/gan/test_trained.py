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
    with pytest.raises(ValueError, match="not finite in float16"):
        trained.save(tmp_path / "x.safetensors", g, d, FACTS)
    assert list(tmp_path.iterdir()) == []


def test_a_published_pickle_is_read() -> None:
    found = trained.load(PUBLISHED, device=CPU)
    config = found.network.config
    assert len(found.classes) == config.c_dim
    assert not any(p.requires_grad for p in found.network.parameters())


def test_a_missing_generator_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no generator"):
        trained.load(tmp_path, device=CPU)
    with pytest.raises(UserError, match=r"no such file or folder"):
        trained.load(tmp_path / "none", device=CPU)


def test_a_cut_file_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a whole safetensors file"):
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
