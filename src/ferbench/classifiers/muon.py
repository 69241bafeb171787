"""The optimizer Muon: momentum made orthogonal, with Nesterov's AdamW for what is no matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

# Of x <- a x + b (x x^T) x + c (x x^T)^2 x, one triple a step. The polynomials of the five steps
# were fitted one after the other, so that singular values come nearer to 1 than by one polynomial
# five times (Jordan et al. 2024, in the code of modded-nanogpt).
NEWTON_SCHULZ = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)
BETAS, EPS = (0.9, 0.95), 1e-7
MIN_SIDE, MAX_RATIO = 4, 128  # of matrices that it pays to make orthogonal


class Muon(Optimizer):
    """Muon (Jordan et al. 2024) with steps as long as AdamW's (Liu et al. 2025, arXiv 2502.16982).

    The update of a matrix, or of a kernel as a matrix of its output channels, becomes the nearest
    orthogonal one times 0.2 sqrt(its longer side). Norms, biases, depthwise kernels and very
    narrow matrices get AdamW with Nesterov momentum. Weight decay is decoupled, as in AdamW.

    lr: a number, or a 0-dim float32 tensor on the parameters' device. capturable: step counts lie
    on that device and no step reads a value, so that a CUDA graph may hold it; lr is a tensor then.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        *,
        lr: float | Tensor,
        momentum: float,
        capturable: bool = False,
    ) -> None:
        defaults = {"lr": lr, "weight_decay": 0.0, "momentum": momentum, "capturable": capturable}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Change every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            trained = [p for p in group["params"] if p.grad is not None]
            for parameter in trained:
                if is_matrix(parameter):
                    self._step_matrix(parameter, group)
            self._step_others([p for p in trained if not is_matrix(p)], group)

    def _step_matrix(self, parameter: Tensor, group: dict[str, Any]) -> None:
        lr, grad, state = group["lr"], parameter.grad, self.state[parameter]
        assert grad is not None
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        parameter.mul_(1 - lr * group["weight_decay"])
        average = state["momentum_buffer"].lerp_(grad, 1 - group["momentum"])
        update = orthogonal(grad.lerp(average, group["momentum"]).flatten(1))
        length = 0.2 * max(update.shape) ** 0.5
        _add(parameter, update.reshape(parameter.shape), -lr * length)

    def _step_others(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """AdamW whose first moment looks one step ahead; all of a group at once."""
        if not parameters:
            return
        beta1, beta2 = BETAS
        counts, means, squares = self._moments(parameters, on_device=group["capturable"])
        grads = [p.grad for p in parameters if p.grad is not None]
        torch._foreach_add_(counts, 1)
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_lerp_(means, grads, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, grads, grads, 1 - beta2)
        count = counts[0] if group["capturable"] else counts[0].item()
        size = group["lr"] / (1 - beta1**count)
        deviations = torch._foreach_sqrt(squares)
        torch._foreach_div_(deviations, (1 - beta2**count) ** 0.5)
        torch._foreach_add_(deviations, EPS)
        ahead = torch._foreach_lerp(means, grads, 1 - beta1)
        if group["capturable"]:
            torch._foreach_div_(ahead, deviations)
            torch._foreach_mul_(ahead, size)
            torch._foreach_sub_(parameters, ahead)
        else:
            torch._foreach_addcdiv_(parameters, ahead, deviations, -size)

    def _moments(
        self, parameters: list[Tensor], *, on_device: bool
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Step counts, means and mean squares of the gradients."""
        for p in parameters:
            if not self.state[p]:
                self.state[p] = {
                    "step": torch.zeros((), device=p.device if on_device else "cpu"),
                    "exp_avg": torch.zeros_like(p),
                    "exp_avg_sq": torch.zeros_like(p),
                }
        states = [self.state[p] for p in parameters]
        counts, means, squares = (
            [state[key] for state in states] for key in ("step", "exp_avg", "exp_avg_sq")
        )
        return counts, means, squares


def is_matrix(parameter: Tensor) -> bool:
    """Whether a parameter's update is made orthogonal: not too small, not too narrow a matrix."""
    if parameter.ndim < 2 or 1 in parameter.shape[:2]:
        return False
    rows = parameter.shape[0]
    columns = parameter.numel() // rows
    short, long = min(rows, columns), max(rows, columns)
    return short >= MIN_SIDE and long <= MAX_RATIO * short


def orthogonal(matrix: Tensor) -> Tensor:
    """U V^T of a matrix U S V^T [M, N], nearly: bfloat16, its singular values are near 1.

    By the iteration of Newton and Schulz on the matrix, divided by its norm.
    """
    x = matrix.to(torch.bfloat16, copy=True)
    tall = x.shape[0] > x.shape[1]
    x = x.mT if tall else x
    x = x.div_(x.norm(2, dim=(0, 1), keepdim=True).clamp_(min=EPS)).contiguous()
    for a, b, c in NEWTON_SCHULZ:
        products = torch.mm(x, x.mT)
        products = torch.addmm(products, products, products, beta=b, alpha=c)
        x = torch.addmm(x, products, x, beta=a)
    return x.mT if tall else x


def _add(parameter: Tensor, update: Tensor, factor: float | Tensor) -> None:
    """parameter += factor * update, in the parameter's precision."""
    if isinstance(factor, Tensor):
        parameter.add_(update.to(parameter.dtype) * factor)
    else:
        parameter.add_(update, alpha=factor)
