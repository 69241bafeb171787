import numpy as np
import pytest
import torch

import stylegan2_ada as sg
from stylegan2_ada.training import distributed

N = 30


def images(n=N):
    """Image i holds i, and n + i in its last column."""
    i = np.arange(n, dtype=np.uint8)[:, None, None]
    return np.concatenate([np.broadcast_to(i, (n, 4, 3)), np.broadcast_to(i + n, (n, 4, 1))], 2)


def batches(batch=8, *, mirror=False, weights=None, seed=0, n=N):
    conditions = torch.arange(n, dtype=torch.float32)[:, None]
    return sg.RealBatches(
        images(n),
        conditions,
        batch=batch,
        generator=torch.Generator().manual_seed(seed),
        mirror=mirror,
        weights=weights,
        device="cpu",
    )


def shown(data, steps):
    return torch.cat([next(data)[1][:, 0] for _ in range(steps)]).long()


def test_every_image_is_shown_once_an_epoch():
    """4 epochs of 30 images in 15 batches of 8, each in its own order."""
    epochs = shown(batches(), 15).reshape(4, N)
    assert torch.equal(epochs.sort(1).values, torch.arange(N).expand(4, -1))
    assert not torch.equal(epochs[0], epochs[1])


def test_a_batch_may_be_longer_than_an_epoch():
    assert torch.equal(shown(batches(batch=60), 1).bincount(), torch.full([N], 2))


def test_images_come_with_their_conditions():
    x, c = next(batches())
    assert x.shape == (8, 1, 4, 4) and x.dtype == torch.uint8
    assert torch.equal(x[:, 0, 0, 0].float(), c[:, 0])


def test_mirroring_flips_half_of_the_images():
    """Binomial, 800 draws: 400 with a deviation of 14. The condition stays."""
    data, flips = batches(mirror=True), 0
    for _ in range(100):
        x, c = next(data)
        flipped = x[:, 0, 0, 0].float() == c[:, 0] + N
        assert torch.equal(torch.where(flipped, x[:, 0, 2, 3], x[:, 0, 2, 0]).float(), c[:, 0])
        flips += int(flipped.sum())
    assert abs(flips - 400) < 5 * 14


def test_balanced_weights_show_every_class_as_often():
    """Classes of 25 and 5 images: 2000 of 4000 draws each, deviation 32; absent classes nowhere."""
    labels = torch.tensor([0] * 25 + [2] * 5)
    weights = sg.balanced_weights(labels)
    torch.testing.assert_close(weights, torch.tensor([1 / 25] * 25 + [1 / 5] * 5).double())
    counts = labels[shown(batches(weights=weights), 500)].bincount()
    assert abs(counts[0] - 2000) < 5 * 32
    assert counts[1] == 0


def test_rows_of_weight_zero_are_never_drawn():
    weights = torch.zeros(N)
    weights[[3, 7]] = 1.0
    assert set(shown(batches(weights=weights), 50).tolist()) == {3, 7}


@pytest.mark.parametrize("weights", [None, torch.ones(N)])
def test_resume_goes_on_inside_an_epoch(weights):
    whole, first = batches(mirror=True, weights=weights), batches(mirror=True, weights=weights)
    for _ in range(5):
        next(whole), next(first)
    second = batches(mirror=True, weights=weights, seed=9)
    second.load_state_dict(first.state_dict())
    for _ in range(5):
        for a, b in zip(next(whole), next(second), strict=True):
            assert torch.equal(a, b)


def test_state_of_more_images_is_refused():
    data = batches(n=60)
    next(data)
    with pytest.raises(ValueError, match="more images"):
        batches().load_state_dict(data.state_dict())


def test_processes_share_the_batch(monkeypatch):
    """Parts of two processes, in order, are the batch of one."""
    whole = next(batches(mirror=True))
    monkeypatch.setattr(distributed, "world", lambda: 2)
    parts = []
    for rank in range(2):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        parts.append(next(batches(mirror=True)))
    for together, halves in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(together, torch.cat(halves))
    with pytest.raises(ValueError, match="2 processes"):
        batches(batch=7)


def test_conditions_may_be_any_vectors():
    """Rows of the table in their shares: weights 3 to 1 of 4000 draws, deviation 27."""
    rows = torch.tensor([[0.5, -1.0, 2.0], [0.0, 0.25, 7.0]])
    draw = sg.condition_sampler(rows, torch.tensor([3.0, 1.0]))
    drawn = draw(4000, torch.Generator().manual_seed(0))
    is_first = (drawn == rows[0]).all(1)
    assert ((drawn == rows[1]).all(1) | is_first).all()
    assert abs(int(is_first.sum()) - 3000) < 5 * 27


def test_unconditional_batches_have_empty_conditions():
    draw = sg.condition_sampler(torch.zeros(1, 0))
    assert draw(5, torch.Generator()).shape == (5, 0)


@pytest.mark.parametrize("weights", [torch.ones(3), -torch.ones(N), torch.zeros(N)])
def test_weights_that_cannot_be_drawn_from_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        batches(weights=weights)


def test_arrays_that_do_not_fit_are_refused():
    settings = {"batch": 2, "mirror": False, "weights": None, "device": "cpu"}
    generator = torch.Generator()
    with pytest.raises(ValueError, match="uint8"):
        sg.RealBatches(images() / 255, torch.zeros(N, 0), generator=generator, **settings)
    with pytest.raises(ValueError, match="conditions"):
        sg.RealBatches(images(), torch.zeros(3, 2), generator=generator, **settings)
