"""The protocol of captured calls, with stand-ins for CUDA's graphs and streams.

Real ones are captured in test_graphs.py, on a GPU.
"""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch

from ferbench.classifiers import captured
from ferbench.classifiers.captured import EAGER_CALLS, CapturedCall
from ferbench.errors import UserError

CPU = torch.device("cpu")


class Cuda:
    """What CapturedCall uses of torch.cuda; in a capture, kernels go to `recording`."""

    def __init__(self):
        self.recording, self.error, self.log = None, None, []

    def Stream(self, device):  # noqa: N802
        return SimpleNamespace(wait_stream=lambda other: self.log.append("waits"))

    def CUDAGraph(self):  # noqa: N802
        graph = SimpleNamespace(work=[])
        graph.replay = lambda: [kernel() for kernel in graph.work]
        return graph

    @contextmanager
    def graph(self, graph, pool, stream):
        self.recording = graph.work
        try:
            yield
        finally:
            self.recording = None
        if self.error is not None:
            raise self.error


@pytest.fixture
def cuda(monkeypatch):
    fake = Cuda()
    parts = {
        "Stream": fake.Stream,
        "current_stream": lambda: fake.Stream(None),
        "CUDAGraph": fake.CUDAGraph,
        "graph": fake.graph,
        "graph_pool_handle": lambda: None,
        "device": lambda device: nullcontext(),
        "stream": lambda stream: nullcontext(),
        "set_stream": lambda stream: fake.log.append("stream restored"),
        "get_rng_state": lambda: "state",
    }
    for name, part in parts.items():
        monkeypatch.setattr(torch.cuda, name, part)
    renew = lambda state: fake.log.append(f"generator at {state}")  # noqa: E731
    monkeypatch.setattr(captured, "_renew_generator", renew)
    return fake


class Adding:
    """total += sign * x; returns the total. A capture notes it and computes nothing, as on CUDA."""

    def __init__(self, cuda):
        self.cuda, self.total, self.calls = cuda, torch.zeros(()), 0

    def __call__(self, x, *, sign=1):
        self.calls += 1
        output = torch.zeros(())

        def kernel():
            self.total += sign * x.sum()
            output.copy_(self.total)

        if self.cuda.recording is None:
            kernel()
        else:
            self.cuda.recording.append(kernel)
        return output


def test_calls_are_eager_then_captured_once_then_replayed(cuda):
    """Every call counts once, whichever way it goes."""
    adding = Adding(cuda)
    call = CapturedCall(adding, CPU, on_refusal=None)
    totals = [float(call(torch.full((2,), float(n)))) for n in range(1, 9)]
    assert totals == [n * (n + 1) for n in range(1, 9)]
    assert adding.calls == EAGER_CALLS + 1


def test_each_set_of_options_has_its_own_graph(cuda):
    adding = Adding(cuda)
    call = CapturedCall(adding, CPU, on_refusal=None)
    for _ in range(6):
        call(torch.ones(3), sign=1)
        call(torch.ones(2), sign=-1)
    assert float(adding.total) == 6
    assert adding.calls == 2 * (EAGER_CALLS + 1)


def test_other_shapes_stay_eager(cuda):
    adding = Adding(cuda)
    call = CapturedCall(adding, CPU, on_refusal=None)
    for _ in range(6):
        call(torch.ones(3))
    assert [float(call(torch.ones(n))) for n in (2, 2, 2, 2, 2, 3)] == [20, 22, 24, 26, 28, 31]
    assert adding.calls == EAGER_CALLS + 1 + 5


def test_a_failed_capture_is_told_once_and_the_calls_go_on_eagerly(cuda):
    """Stream and generator are as before it; nothing of it counts."""
    adding, reasons = Adding(cuda), []
    call = CapturedCall(adding, CPU, on_refusal=reasons.append)
    cuda.error = RuntimeError("capture invalidated\nmore lines")
    assert [float(call(torch.ones(1))) for _ in range(6)] == [1, 2, 3, 4, 5, 6]
    assert reasons == ["capture invalidated"]
    assert cuda.log[-2:] == ["stream restored", "generator at state"]


def test_a_failed_capture_is_an_error_where_graphs_are_required(cuda):
    call = CapturedCall(Adding(cuda), CPU, on_refusal=None)
    cuda.error = RuntimeError("capture invalidated")
    for _ in range(EAGER_CALLS):
        call(torch.ones(1))
    with pytest.raises(RuntimeError, match="capture invalidated"):
        call(torch.ones(1))


def test_the_reason_is_what_failed_first(cuda, monkeypatch):
    """A capture whose function fails ends with an error of its own."""

    def reads(x):
        if cuda.recording is not None:
            raise RuntimeError("operation not permitted when stream is capturing")
        return x

    @contextmanager
    def graph(graph, pool, stream):
        try:
            with cuda.graph(graph, pool, stream):
                yield
        except RuntimeError:
            raise RuntimeError("operation failed due to a previous error") from None

    monkeypatch.setattr(torch.cuda, "graph", graph)
    reasons = []
    call = CapturedCall(reads, CPU, on_refusal=reasons.append)
    for _ in range(EAGER_CALLS + 1):
        call(torch.ones(1))
    assert reasons == ["operation not permitted when stream is capturing"]


@pytest.mark.parametrize(
    ("graphs", "device", "want"),
    [
        ("auto", "cuda", True),
        ("true", "cuda", True),
        ("True", "cuda", True),
        ("false", "cuda", False),
        ("auto", "cpu", False),
        ("false", "cpu", False),
    ],
)
def test_graphs_are_wanted_on_cuda_unless_switched_off(graphs, device, want):
    assert captured.are_wanted(graphs, torch.device(device), key="train.graphs") == want


def test_graphs_are_refused_off_cuda():
    with pytest.raises(UserError, match=r"train\.graphs=true: needs a CUDA device.* on cpu"):
        captured.are_wanted("true", CPU, key="train.graphs")
    with pytest.raises(UserError, match=r"train\.graphs=maybe: unknown"):
        captured.are_wanted("maybe", CPU, key="train.graphs")
