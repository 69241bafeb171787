"""The random numbers of all augmentations of a batch, drawn at once on the images' device."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

KINDS = ("normal", "uniform", "choice")


@dataclass(frozen=True)
class Term:
    """What one augmentation draws for an image: `size` numbers, all 0 where it does not happen.

    kind: "normal" with deviation `spread`, "uniform" in [-spread, spread), or "choice" of the
    whole numbers from 0 to spread - 1. It happens with probability p * strength.
    """

    name: str
    kind: str
    spread: float
    strength: float
    size: int = 1
    own_gates: bool = False  # each number happens on its own, else all together
    half: bool = False  # one of two of which p * strength is the chance that any happens
    tested: bool = True  # has its percentile where percentiles replace draws, else is 0

    @property
    def gates(self) -> int:
        """Independent decisions for one image."""
        return self.size if self.own_gates else 1


@dataclass(frozen=True)
class Drawn:
    """What was drawn for a batch of N images."""

    values: Tensor  # [N, numbers]
    open: Tensor  # [N, gates] bool
    columns: dict[str, slice]
    gates: dict[str, slice]

    def __getitem__(self, name: str) -> Tensor:
        """The numbers of a term, [N, size]."""
        return self.values[:, self.columns[name]]

    def happens(self, name: str) -> Tensor:
        """Where a term's gates are open, [N, gates] bool."""
        return self.open[:, self.gates[name]]


class Draws(nn.Module):
    """Draws the numbers of a list of terms; few operations, however many terms there are."""

    strength: Tensor  # [gates] float64
    exponent: Tensor  # [gates] float64
    tested: Tensor  # [gates] bool
    width: Tensor  # [numbers]: value of a term for each unit of the number drawn for it
    least: Tensor  # [numbers]: its value where that number is 0
    gate: Tensor  # [numbers] int64: the gate of each

    def __init__(self, terms: Sequence[Term]) -> None:
        super().__init__()
        terms = sorted(terms, key=lambda term: KINDS.index(term.kind))  # a slice for each kind
        self.sizes = [sum(term.size for term in terms if term.kind == kind) for kind in KINDS]
        self.columns = _slices(terms, [term.size for term in terms])
        self.gates = _slices(terms, [term.gates for term in terms])
        gated = [term for term in terms for _ in range(term.gates)]
        gate = [
            self.gates[term.name].start + i * term.own_gates
            for term in terms
            for i in range(term.size)
        ]
        each = [term for term in terms for _ in range(term.size)]
        symmetric = torch.tensor([term.kind == "uniform" for term in each])
        spread = torch.tensor([term.spread for term in each], dtype=torch.float32)
        constants = {
            "strength": torch.tensor([term.strength for term in gated], dtype=torch.float64),
            "exponent": torch.tensor([0.5**term.half for term in gated], dtype=torch.float64),
            "tested": torch.tensor([term.tested and term.strength > 0 for term in gated]),
            "width": spread * (1 + symmetric.float()),
            "least": -spread * symmetric,
            "gate": torch.tensor(gate, dtype=torch.int64),
        }
        for name, constant in constants.items():
            self.register_buffer(name, constant, persistent=False)

    def forward(
        self, images: int, p: Tensor, generator: torch.Generator, percentile: float | None = None
    ) -> Drawn:
        """Numbers for `images` images at probability p, a scalar tensor that is not read here.

        generator: on the device of p and of the result.
        percentile: instead of drawing, take this percentile in [0, 1] of every distribution, with
        all augmentations of positive strength on (for tests against known numbers).
        """
        normals, uniforms, _ = self.sizes
        gates, numbers = len(self.strength), len(self.gate)
        normal = normal_draws([images, normals], generator, percentile)
        uniform = uniform_draws([images, gates + numbers - normals], generator, percentile)
        if percentile is None:
            chance = 1 - (1 - (p * self.strength).clamp(max=1)) ** self.exponent
            happens = uniform[:, :gates] < chance
        else:
            happens = self.tested.expand(images, -1)
        values = torch.cat([normal, uniform[:, gates:]], 1)
        values = torch.addcmul(self.least, values, self.width)
        values[:, normals + uniforms :].floor_()
        values = values * happens.index_select(1, self.gate)
        return Drawn(values, happens, self.columns, self.gates)


def normal_draws(
    shape: Sequence[int], generator: torch.Generator, percentile: float | None = None
) -> Tensor:
    """Standard normal float32 numbers on the generator's device, or all a percentile.

    The percentile q is erfinv(2 q - 1), as in the reference numbers: the square root of 2 that
    belongs to it is left out there.
    """
    if percentile is None:
        return torch.randn(shape, generator=generator, device=generator.device)
    return torch.full(shape, 2 * percentile - 1, device=generator.device).erfinv()


def uniform_draws(
    shape: Sequence[int], generator: torch.Generator, percentile: float | None = None
) -> Tensor:
    """Uniform float32 numbers in [0, 1) on the generator's device, or all a percentile."""
    if percentile is None:
        return torch.rand(shape, generator=generator, device=generator.device)
    return torch.full(shape, percentile, device=generator.device)


def _slices(terms: Sequence[Term], sizes: Sequence[int]) -> dict[str, slice]:
    """Columns of each term, one term after the other."""
    slices, start = {}, 0
    for term, size in zip(terms, sizes, strict=True):
        slices[term.name] = slice(start, start + size)
        start += size
    return slices
