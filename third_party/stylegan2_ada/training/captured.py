"""Parts of a step as CUDA graphs: run as usual at first, then captured once and replayed.

A GPU that is given a step kernel by kernel waits for Python. A graph hands over all kernels of a
part in one launch, the same kernels on the same memory each time (PyTorch's notes on CUDA graphs).
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from . import distributed

EAGER_CALLS = 2  # of each part before it is captured: libraries choose their kernels meanwhile
REGISTERS_BY_ITSELF = "2.14"  # the first PyTorch whose graphs find the generators they draw from

log = logging.getLogger("stylegan2_ada")


class Graphs:
    """The graphs of one step's parts, which share a pool of memory and run one after another.

    A part takes its inputs from tensors that outlive it and leaves its results in such tensors. It
    reads no value of the device, and no shape in it depends on one.
    """

    def __init__(
        self, device: torch.device, generators: Sequence[torch.Generator], *, required: bool
    ) -> None:
        """Of parts that draw from `generators`, on `device`, a GPU.

        required: raise where a part cannot be captured; else it runs as usual, with one logged
        line that says why.
        """
        self.generators, self.required = list(generators), required
        self.refused: str | None = None  # why nothing more is captured
        self._calls: Counter[str] = Counter()
        self._graphs: dict[str, torch.cuda.CUDAGraph] = {}
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, name: str, part: Callable[[], object]) -> None:
        """Run `part`, known as `name`; from its third call on, its graph.

        Raises RuntimeError where it cannot be captured, if that is required.
        """
        self._calls[name] += 1
        if name not in self._graphs and self.refused is None and self._calls[name] > EAGER_CALLS:
            self._capture(name, part)
        if name in self._graphs:
            self._graphs[name].replay()
        else:
            self._run_eagerly(part)

    def forget(self) -> None:
        """Capture all parts anew: to be called where tensors of theirs were replaced."""
        self._graphs.clear()
        self._calls.clear()

    def _run_eagerly(self, part: Callable[[], object]) -> None:
        """On the stream that captures, so that what autograd keeps belongs to that stream."""
        outside = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(outside)
        with torch.cuda.stream(self._stream):
            part()
        outside.wait_stream(self._stream)

    def _capture(self, name: str, part: Callable[[], object]) -> None:
        graph, states = torch.cuda.CUDAGraph(), [one.get_state() for one in self.generators]
        outside = torch.cuda.current_stream(self._stream.device)
        try:
            if torch.__version__ < REGISTERS_BY_ITSELF:
                for generator in self.generators:
                    graph.register_generator_state(generator)
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                part()
        except RuntimeError as error:
            torch.cuda.set_stream(outside)  # a capture that fails to end stays on its own
            reason = first_cause(error)
            if self.required:
                raise RuntimeError(f"{name}: no CUDA graph can be made of it: {reason}") from error
            self.refused = reason
            for generator, state in zip(self.generators, states, strict=True):
                renew(generator, state)
            log.warning("%s runs without CUDA graphs, more slowly: %s", name, reason)
        else:
            self._graphs[name] = graph


def first_cause(error: BaseException) -> str:
    """The first line of what went wrong; the end of the capture fails after it with less to say."""
    while error.__context__ is not None:
        error = error.__context__
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def renew(generator: torch.Generator, state: Tensor) -> None:
    """Put a generator back to `state`: a failed capture leaves it set up for a graph."""
    fresh = torch.Generator(generator.device)
    fresh.set_state(state)
    generator.graphsafe_set_state(fresh.graphsafe_get_state())


def open_graphs(
    wanted: bool | None, device: torch.device, generators: Sequence[torch.Generator]
) -> Graphs | None:
    """Graphs of parts that draw from `generators`; None where none are wanted, or none can be.

    wanted: None takes them where they can be made, with one logged line where a GPU cannot.
    Raises ValueError for True where they cannot.
    """
    if wanted is False:
        return None
    refused = None
    if device.type != "cuda":
        refused = f"the networks are on {device}; CUDA graphs need a CUDA device"
    elif distributed.world() > 1:
        refused = "several processes share each batch"
    if refused is None:
        return Graphs(device, generators, required=wanted is True)
    if wanted:
        raise ValueError(f"graphs=true: {refused}")
    if device.type == "cuda":
        log.info("training runs without CUDA graphs: %s", refused)
    return None
