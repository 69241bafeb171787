import pytest
import torch

import stylegan2_ada as sg


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    config = sg.GeneratorConfig(
        img_resolution=12,
        img_channels=1,
        c_dim=3,
        z_dim=16,
        w_dim=16,
        mapping_layers=2,
        channel_base=64,
        channel_max=8,
    )
    g = sg.Generator(config)
    for name, weight in g.named_parameters():
        if name.endswith("noise_strength"):
            torch.nn.init.constant_(weight, 0.5)
    g.mapping.w_avg.normal_()
    return g.eval()


@pytest.mark.parametrize("noise", ["const", "seed", "none"])
def test_an_image_depends_on_its_seed_alone(generator, noise):
    """Whatever the batch and the order; to rounding, as convolutions go."""
    c = torch.eye(3)[[0, 1, 2, 0, 1]]
    whole = sg.sample(generator, [5, 6, 7, 8, 9], c, noise=noise)
    for order in ([3], [4, 0], [2, 1, 3]):
        part = sg.sample(generator, [5 + i for i in order], c[order], noise=noise)
        torch.testing.assert_close(part, whole[order], rtol=1e-4, atol=1e-5)
    again = sg.sample(generator, [5, 5], c[[0, 0]], noise=noise)
    torch.testing.assert_close(again[0], again[1])


def test_the_latent_is_the_first_draw_of_the_seed(generator):
    """Noise comes after it, so all three kinds show the same face."""
    z = torch.randn(16, generator=torch.Generator().manual_seed(5))[None]
    want = generator(z, torch.eye(3)[:1])
    torch.testing.assert_close(sg.sample(generator, [5], torch.eye(3)[:1]), want)
    seeded = sg.sample(generator, [5], torch.eye(3)[:1], noise="seed")
    assert not torch.allclose(seeded, want)


def test_noise_of_a_seed_is_drawn_layer_by_layer(generator):
    """As random noise from a generator that has drawn z before it."""
    stream = torch.Generator().manual_seed(5)
    z = torch.randn(16, generator=stream)[None]
    want = generator(z, torch.eye(3)[:1], noise="random", generator=stream)
    got = sg.sample(generator, [5], torch.eye(3)[:1], noise="seed")
    torch.testing.assert_close(got, want)


def test_psi_zero_is_the_center(generator):
    """Of the image's own row, or the running mean for None."""
    centers = torch.randn(2, 16)
    images = sg.sample(generator, [1, 2], torch.eye(3)[:2], psi=0.0, center=centers)
    ws = centers[:, None].expand(-1, generator.config.num_ws, -1)
    torch.testing.assert_close(images, generator.synthesis(ws).detach())
    one = sg.sample(generator, [1], torch.eye(3)[:1], psi=0.0)
    ws = generator.mapping.w_avg.expand(1, generator.config.num_ws, -1)
    torch.testing.assert_close(one, generator.synthesis(ws).detach())


def test_unknown_noise_is_refused(generator):
    with pytest.raises(ValueError, match="noise=random"):
        sg.sample(generator, [1], torch.eye(3)[:1], noise="random")


def test_pixels_go_there_and_back():
    """Every uint8 value returns; -1 is 0, 1 is 255, beyond is clamped."""
    values = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(sg.to_uint8(sg.from_uint8(values)), values)
    assert sg.to_uint8(torch.tensor([-7.0, -1.0, 0.999, 1.0, 7.0])).tolist() == [
        0,
        0,
        255,
        255,
        255,
    ]


def test_diversity_is_the_mean_distance_of_pairs(generator):
    """Root mean square difference of the three pairs of three images."""
    spreads = sg.class_diversity(generator, torch.eye(3), (0, 1, 2))
    images = sg.sample(generator, (0, 1, 2), torch.eye(3)[[1, 1, 1]])
    pairs = [images[0] - images[1], images[0] - images[2], images[1] - images[2]]
    want = sum(pair.square().mean().sqrt().item() for pair in pairs) / 3
    assert len(spreads) == 3
    assert spreads[1] == pytest.approx(want, rel=1e-4)


def test_a_collapsed_class_has_no_diversity(generator):
    assert sg.class_diversity(generator, torch.eye(3), (4, 4)) == pytest.approx((0, 0, 0), abs=1e-6)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_class_centres_are_the_classes_mean_styles(generator):
    mapping, eye = generator.mapping, torch.eye(3)
    centers = sg.class_centers(mapping, eye, latents=50, generator=seeded(3))
    z = torch.randn(50, 16, generator=seeded(3))
    want = mapping.style(z, eye[1].expand(50, -1)).mean(0)
    assert centers.shape == (3, 16)
    torch.testing.assert_close(centers[1], want.detach())
    assert not torch.allclose(centers[0], centers[1], atol=1e-3)


def test_at_psi_zero_an_image_is_its_own_class_centre(generator):
    mapping, eye = generator.mapping, torch.eye(3)
    centers = sg.class_centers(mapping, eye, latents=20, generator=seeded(3))
    c = eye[[2, 0]]
    ws = mapping(torch.randn(2, 16), c, psi=0.0, center=sg.centers_of(c, centers))
    torch.testing.assert_close(ws[:, 0], centers[[2, 0]])
    torch.testing.assert_close(ws[:, -1], centers[[2, 0]])


def test_a_mixed_condition_takes_the_mixed_centre():
    centers = torch.tensor([[0.0, 2.0], [4.0, 0.0]])
    assert sg.centers_of(torch.tensor([[0.25, 0.75]]), centers).tolist() == [[3.0, 0.5]]
