"""A function whose kernels are recorded once as a CUDA graph and then launched all together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stylegan2_ada.training.captured import first_cause, renew

EAGER_CALLS = 3  # before the capture: they choose kernels, compile and make what outlives a call


@dataclass
class _Graph:
    """The calls with one set of options: what they take, and the graph once it is recorded."""

    shapes: list[torch.Size]
    eager_calls: int = 0
    graph: torch.cuda.CUDAGraph | None = None
    inputs: list[Tensor] = field(default_factory=list)
    output: Tensor | None = None


class CapturedCall:
    """Calls `function` eagerly at first, then records a CUDA graph of it and replays that.

    function(*inputs, **options): inputs are tensors on the CUDA device `device`, options plain
    values; each set of options gets a graph of its own, for the shapes of its first call. Calls
    with other shapes stay eager. It must compute the same in each call but for its inputs and what
    it changes in place, read nothing to the host, and keep nothing new beyond the call; what it
    draws comes from the default generator. It returns one tensor, which the next call overwrites.

    on_refusal: called once with the reason when a capture fails, before the call is done eagerly,
    as all later ones are. It must undo on the host what the failed call left there. None: the
    error is raised.
    """

    def __init__(
        self,
        function: Callable[..., Tensor],
        device: torch.device,
        *,
        on_refusal: Callable[[str], None] | None,
    ) -> None:
        self.function, self.device, self.on_refusal = function, device, on_refusal
        self.stream = torch.cuda.Stream(device)
        self.pool = torch.cuda.graph_pool_handle()
        self.graphs: dict[tuple[tuple[str, object], ...], _Graph] = {}
        self.refused = False

    def __call__(self, *inputs: Tensor, **options: object) -> Tensor:
        """What `function` returns for these inputs."""
        with torch.cuda.device(self.device):
            return self._call(*inputs, **options)

    def _call(self, *inputs: Tensor, **options: object) -> Tensor:
        shapes = [x.shape for x in inputs]
        one = self.graphs.setdefault(tuple(sorted(options.items())), _Graph(shapes))
        if self.refused or shapes != one.shapes:
            return self.function(*inputs, **options)
        if one.graph is None and one.eager_calls < EAGER_CALLS:
            one.eager_calls += 1
            return self._beside(*inputs, **options)
        if one.graph is None and not self._capture(one, inputs, options):
            return self.function(*inputs, **options)
        assert one.graph is not None
        assert one.output is not None
        for static, given in zip(one.inputs, inputs, strict=True):
            static.copy_(given)
        one.graph.replay()
        return one.output

    def _beside(self, *inputs: Tensor, **options: object) -> Tensor:
        """An eager call on the stream that will be captured, where autograd is to meet it.

        Each stream waits for the other, so the output's memory is not used again before it is read.
        """
        current = torch.cuda.current_stream()
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            output = self.function(*inputs, **options)
        current.wait_stream(self.stream)
        return output

    def _capture(self, one: _Graph, inputs: tuple[Tensor, ...], options: dict[str, object]) -> bool:
        """Record the graph, which computes nothing yet; False if that was refused."""
        one.inputs = [x.clone() for x in inputs]
        graph, current = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        drawn = torch.cuda.get_rng_state()
        try:
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
                one.output = self.function(*one.inputs, **options)
        except RuntimeError as error:
            torch.cuda.set_stream(current)  # a capture that fails to end stays on its own
            _renew_generator(drawn)
            if self.on_refusal is None:
                raise
            self.refused, one.inputs, one.output = True, [], None
            self.on_refusal(" ".join(first_cause(error).split())[:200])
            return False
        one.graph = graph
        return True


def _renew_generator(state: Tensor) -> None:
    """Put the default generator back to `state`: a failed capture leaves it set up for a graph."""
    renew(torch.cuda.default_generators[torch.cuda.current_device()], state)
