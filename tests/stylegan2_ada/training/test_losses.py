import math

import pytest
import torch

from stylegan2_ada.training.losses import (
    class_loss,
    discriminator_fake_loss,
    discriminator_real_loss,
    generator_loss,
    gradient_penalty,
    lazy_adam,
    path_length_penalty,
    path_lengths,
)


def test_logistic_losses():
    """At logit 0 every loss is log 2; softplus(x) - softplus(-x) = x."""
    logits = torch.tensor([0.0, 2.0, -3.0])
    for loss in (generator_loss, discriminator_fake_loss, discriminator_real_loss):
        assert loss(logits)[0] == pytest.approx(math.log(2))
    difference = discriminator_fake_loss(logits) - discriminator_real_loss(logits)
    torch.testing.assert_close(difference, logits)
    torch.testing.assert_close(generator_loss(logits), discriminator_real_loss(logits))


def test_r1_of_a_quadratic():
    """D(x) = sum(a x^2 / 2) has the gradient a x: the penalty is sum((a x)^2)."""
    a, images = torch.randn(3, 4, 4), torch.randn(5, 3, 4, 4, requires_grad=True)
    penalty = gradient_penalty((a * images.square() / 2).sum([1, 2, 3]), images)
    torch.testing.assert_close(penalty, (a * images).square().sum([1, 2, 3]))
    (grad,) = torch.autograd.grad(penalty.sum(), images)
    torch.testing.assert_close(grad, 2 * a.square() * images)


def test_r1_needs_images_that_require_grad():
    images = torch.randn(2, 1, 4, 4)
    weight = torch.ones([], requires_grad=True)
    with pytest.raises(RuntimeError):
        gradient_penalty((images * weight).sum([1, 2, 3]), images)


def test_path_lengths_of_a_linear_generator():
    """Images A w (one layer) have J = A: |A^T y| / sqrt(H W), for every w."""
    matrix = torch.randn(2 * 4 * 4, 6)
    ws = torch.randn(5, 1, 6, requires_grad=True)
    images = (ws[:, 0] @ matrix.t()).reshape(5, 2, 4, 4)
    y = torch.randn(5, 2, 4, 4)
    want = (y.flatten(1) @ matrix).norm(dim=1) / 4
    torch.testing.assert_close(path_lengths(images, ws, y), want)


def test_path_lengths_average_squares_over_layers():
    """Images w_1 + 0 * w_2 (one pixel): gradients y and 0, the root mean square |y| / sqrt(2)."""
    ws = torch.randn(3, 2, 1, requires_grad=True)
    images = (ws[:, 0] + 0 * ws[:, 1])[:, :, None, None]
    lengths = path_lengths(images, ws, torch.full([3, 1, 1, 1], 5.0))
    torch.testing.assert_close(lengths, torch.full([3], 5 / math.sqrt(2)))


def test_path_length_penalty_and_its_mean():
    """Mean 0 moves by 0.1 toward 3, to 0.3; then (2 - 0.3)^2 and (4 - 0.3)^2."""
    lengths = torch.tensor([2.0, 4.0], requires_grad=True)
    penalty, mean = path_length_penalty(lengths, torch.tensor(0.0), decay=0.1)
    assert mean.item() == pytest.approx(0.3)
    assert not mean.requires_grad
    torch.testing.assert_close(penalty, torch.tensor([1.7**2, 3.7**2]))
    (grad,) = torch.autograd.grad(penalty.sum(), lengths)
    torch.testing.assert_close(grad, torch.tensor([2 * 1.7, 2 * 3.7]))


def test_lazy_adam():
    """interval 4: lr * 4 / 5, betas to the power of 4 / 5."""
    lr, betas = lazy_adam(0.0025, (0.0, 0.99), interval=4)
    assert lr == pytest.approx(0.002)
    assert betas == pytest.approx((0.0, 0.99**0.8))


def test_class_loss_by_hand():
    """-log softmax(0, log 3) = log 4, log 4/3; a half of each is the mean."""
    logits = torch.tensor([[0.0, math.log(3)]]).expand(3, 2)
    c = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    want = torch.tensor([math.log(4), math.log(4 / 3), (math.log(4) + math.log(4 / 3)) / 2])
    torch.testing.assert_close(class_loss(logits, c), want)
