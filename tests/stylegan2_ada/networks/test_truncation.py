import pytest
import torch

from stylegan2_ada import (
    Generator,
    GeneratorConfig,
    centers_of,
    class_centers,
    truncate,
)

CONFIG = GeneratorConfig(
    img_resolution=8,
    img_channels=1,
    c_dim=3,
    z_dim=8,
    w_dim=8,
    mapping_layers=2,
    channel_base=32,
    channel_max=8,
)
EYE = torch.eye(3)


@pytest.fixture(scope="module")
def mapping():
    torch.manual_seed(0)
    return Generator(CONFIG).mapping


def test_interpolates_toward_the_centre_up_to_the_cutoff():
    """center + psi * (w - center): 2 + 0.25 * (6 - 2) = 3 for two layers, then 6."""
    ws = torch.full([1, 4, 1], 6.0)
    out = truncate(ws, torch.tensor([2.0]), psi=0.25, cutoff=2)
    assert out[0, :, 0].tolist() == [3.0, 3.0, 6.0, 6.0]
    assert torch.equal(truncate(ws, torch.tensor([2.0]), psi=1.0), ws)


@pytest.mark.parametrize(("psi", "cutoff"), [(-0.1, None), (1.1, None), (0.5, 5), (0.5, -1)])
def test_out_of_range_is_refused(psi, cutoff):
    name = "psi" if cutoff is None else "cutoff"
    with pytest.raises(ValueError, match=f"{name}="):
        truncate(torch.zeros(1, 4, 1), torch.zeros(1), psi=psi, cutoff=cutoff)


def test_class_centres_are_the_classes_mean_styles(mapping):
    centers = class_centers(mapping, EYE, latents=50, generator=torch.Generator().manual_seed(3))
    z = torch.randn(50, 8, generator=torch.Generator().manual_seed(3))
    want = mapping.style(z, EYE[1].expand(50, -1)).mean(0)
    assert centers.shape == (3, 8)
    torch.testing.assert_close(centers[1], want.detach())
    assert not torch.allclose(centers[0], centers[1], atol=1e-3)


def test_at_psi_zero_an_image_is_its_own_class_centre(mapping):
    centers = class_centers(mapping, EYE, latents=20, generator=torch.Generator().manual_seed(3))
    c = EYE[[2, 0]]
    ws = mapping(torch.randn(2, 8), c, psi=0.0, center=centers_of(c, centers))
    torch.testing.assert_close(ws[:, 0], centers[[2, 0]])
    torch.testing.assert_close(ws[:, -1], centers[[2, 0]])


def test_a_mixed_condition_takes_the_mixed_centre():
    centers = torch.tensor([[0.0, 2.0], [4.0, 0.0]])
    assert centers_of(torch.tensor([[0.25, 0.75]]), centers).tolist() == [[3.0, 0.5]]
