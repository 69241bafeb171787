"""Phases as CUDA graphs: when they are captured, and that they compute what they did before."""

import contextlib
import io
import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

import stylegan2_ada as sg
from host_reads import HostReadError, no_host_reads
from stylegan2_ada.training import captured
from stylegan2_ada.training.captured import Graphs, open_graphs

CPU = torch.device("cpu")
EPS = 1e-2  # of Adam
STEPS = 9  # graphs of the rarest phase, due every second step, are replayed twice


# --- when a part is captured ---------------------------------------------------------------------


class Recorded:
    """A CUDA graph that calls the captured part again; capture itself executes nothing."""

    def __init__(self):
        self.part, self.replays, self.generators = None, 0, []

    def register_generator_state(self, generator):
        self.generators.append(generator)

    def replay(self):
        self.replays += 1
        self.part()


@pytest.fixture
def cuda(monkeypatch):
    """Stands for torch.cuda: `made` has the graphs; `fails` is raised where one is captured."""
    state = SimpleNamespace(made=[], fails=None, part=None)

    @contextlib.contextmanager
    def graph(made, pool, stream):
        state.made.append(made)
        if state.fails is not None:
            raise state.fails
        made.part, saved = state.part, state.part
        state.part = lambda: None
        yield
        state.part = saved

    stream = SimpleNamespace(device=CPU, wait_stream=lambda other: None)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recorded)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    return state


def run(graphs, cuda, calls, name="part"):
    """How often the part ran, by hand or by a graph."""
    times = []
    cuda.part = lambda: times.append(1)
    for _ in range(calls):
        graphs.run(name, lambda: cuda.part())
    return len(times)


def test_a_part_runs_twice_before_it_is_captured_once(cuda):
    graphs = Graphs(CPU, [], required=True)
    assert run(graphs, cuda, 6) == 6
    assert [one.replays for one in cuda.made] == [4]


def test_parts_have_graphs_of_their_own(cuda):
    graphs = Graphs(CPU, [], required=True)
    run(graphs, cuda, 3, "one")
    run(graphs, cuda, 4, "other")
    assert [one.replays for one in cuda.made] == [1, 2]


def test_forgotten_graphs_are_captured_anew(cuda):
    graphs = Graphs(CPU, [], required=True)
    run(graphs, cuda, 3)
    graphs.forget()
    run(graphs, cuda, 3)
    assert [one.replays for one in cuda.made] == [1, 1]


@pytest.mark.parametrize(("version", "registered"), [("2.13.1", 1), ("2.14.0", 0)])
def test_generators_are_registered_where_pytorch_wants_it(cuda, monkeypatch, version, registered):
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion(version))
    run(Graphs(CPU, [torch.Generator()], required=True), cuda, 3)
    assert len(cuda.made[0].generators) == registered


def test_what_cannot_be_captured_goes_on_without(cuda, monkeypatch, caplog):
    """One line says why, nothing else is tried, and draws go on where they were."""
    generator = torch.Generator().manual_seed(1)
    graphs, before = Graphs(CPU, [generator], required=False), generator.get_state()
    monkeypatch.setattr(captured, "renew", lambda one, state: one.set_state(state))
    cuda.fails = RuntimeError("operation not permitted when stream is capturing\nmore")
    with caplog.at_level(logging.WARNING, "stylegan2_ada"):
        assert run(graphs, cuda, 5) == 5
        assert run(graphs, cuda, 5, "other") == 5
    assert len(cuda.made) == 1
    assert caplog.messages == [
        "part runs without CUDA graphs, more slowly: "
        "operation not permitted when stream is capturing"
    ]
    assert torch.equal(generator.get_state(), before)


def test_graphs_that_are_required_end_the_run(cuda):
    cuda.fails = RuntimeError("not permitted")
    with pytest.raises(RuntimeError, match="part: no CUDA graph can be made of it: not permitted"):
        run(Graphs(CPU, [], required=True), cuda, 3)


def test_a_cpu_has_no_graphs(tiny):
    assert open_graphs(None, CPU, []) is None
    assert open_graphs(False, CPU, []) is None
    with pytest.raises(ValueError, match="graphs=true: the networks are on cpu"):
        tiny.build(replace(tiny.options, graphs=True))


# --- the same numbers ----------------------------------------------------------------------------


@pytest.fixture
def exact(monkeypatch):
    """Convolutions in float32 that add up in one order."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)


def variants(tiny, device, **changes):
    """{name: a maker of trainers}, one for each option that a step has."""
    common = {"path_interval": 0, "style_mixing": 0.0, "r1_interval": 2, **changes}
    ada = sg.AdaOptions(target=-2.0, interval=2, ramp_kimg=1.0)  # a sign may be one of rounding
    schedules = sg.Schedules(((0, 1), (64, 0.1)), ((0, 2), (64, 0)), ((0, 1), (64, 0.5)))
    stylegan = {
        "plain": ({}, None),
        "path length and mixing": ({"path_interval": 2, "style_mixing": 0.9}, None),
        "ada": ({"ada": ada}, tiny.pipe(0.5)),
        "bgcfnc": ({}, tiny.pipe(0.5, name="bgcfnc")),
        "diffaugment": ({}, "color,translation,cutout"),
        "relativistic": ({"loss": "relativistic", "r2_gamma": 0.1}, None),
        "schedules": ({"schedules": schedules}, tiny.pipe(0.5)),
        "reused fakes": ({"reuse_fakes": True, "label_smoothing": 0.1}, None),
    }

    def maker(options, augment):
        return lambda **more: tiny.build(
            replace(tiny.options, **(common | options | more)),
            augment=augment,
            device=device,
            eps=EPS,
        )

    made = {name: maker(*settings) for name, settings in stylegan.items()}
    for kind in ("cgan", "acgan"):
        made[kind] = lambda kind=kind, **more: tiny.plain(
            kind, device=device, eps=EPS, **(common | more)
        )
    return made


NAMES = (
    "plain",
    "path length and mixing",
    "ada",
    "bgcfnc",
    "diffaugment",
    "relativistic",
    "schedules",
    "reused fakes",
    "cgan",
    "acgan",
)


def trained(trainer, data, steps=STEPS):
    for _ in range(steps):
        trainer.step(*next(data))
    return trainer.state_dict()


@pytest.mark.parametrize("name", NAMES)
def test_a_step_reads_nothing_from_its_device(tiny, name):
    """Steps with all phases, averages and ADA; constants are made in the first."""
    trainer, data = variants(tiny, "cpu")[name](), tiny.batches()
    if isinstance(trainer.augment, sg.AugmentPipe):
        trainer.augment.skip_at_zero = False
    trainer.step(*next(data))
    batches = [next(data) for _ in range(3)]
    with no_host_reads():
        for batch in batches:
            trainer.step(*batch)
    with no_host_reads(), pytest.raises(HostReadError):
        trainer.check_skips()


def test_the_augmentation_is_left_out_at_zero_on_a_cpu(tiny):
    """p = 0 gives the images back without a draw; a GPU would have to be waited for to tell."""
    trainer = tiny.build(augment=tiny.pipe(0.0))
    before = trainer.losses.streams[0].augment.get_state()
    trainer.step(*next(tiny.batches()))
    assert torch.equal(trainer.losses.streams[0].augment.get_state(), before)


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_captured_equals_eager(tiny, exact, name):
    """From the same generator states: weights, averages, counts, and the draws that come next.

    Adam's eps is large: it else divides by the gradient's own size, and some kernels add up in an
    order of their own, so that a rounding would become a part of a step.
    """
    make = variants(tiny, "cuda")[name]
    eager, captured = make(graphs=False), make(graphs=True)
    states = [trained(one, tiny.batches(device="cuda")) for one in (eager, captured)]
    assert len(captured.graphs._graphs) >= 4
    torch.testing.assert_close(states[1]["streams"], states[0]["streams"], rtol=0, atol=0)
    torch.testing.assert_close(states[1]["modules"], states[0]["modules"], rtol=1e-3, atol=5e-4)
    assert states[1]["augment_p"] == pytest.approx(states[0]["augment_p"])
    assert states[1]["counts"] == states[0]["counts"]


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_captured(tiny, dtype):
    make = variants(tiny, "cuda", dtype=dtype, regularizer_dtype=dtype)["ada"]
    states = [trained(make(graphs=on), tiny.batches(device="cuda")) for on in (False, True)]
    torch.testing.assert_close(states[1]["streams"], states[0]["streams"], rtol=0, atol=0)
    torch.testing.assert_close(states[1]["modules"], states[0]["modules"], rtol=0.1, atol=0.02)


@pytest.mark.gpu
def test_a_captured_run_goes_on_from_its_state(tiny, exact):
    """Also in a trainer that has graphs of other tensors already."""
    make = variants(tiny, "cuda", graphs=True)["ada"]
    whole, data = make(), tiny.batches(device="cuda")
    want = trained(whole, data, 2 * STEPS)
    first, data = make(), tiny.batches(device="cuda")
    file = io.BytesIO()
    torch.save({"trainer": trained(first, data), "data": data.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True, map_location="cpu")
    second, data = make(), tiny.batches(device="cuda")
    trained(second, data)
    second.load_state_dict(saved["trainer"])
    data.load_state_dict(saved["data"])
    got = trained(second, data)
    torch.testing.assert_close(got["streams"], want["streams"], rtol=0, atol=0)
    torch.testing.assert_close(got["modules"], want["modules"], rtol=1e-3, atol=5e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("graphs", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_never_waits_for_the_gpu(tiny, name, graphs):
    trainer, data = variants(tiny, "cuda", graphs=graphs)[name](), tiny.batches(device="cuda")
    trained(trainer, data)  # kernels are built and chosen, graphs made
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(4):
            trainer.step(*next(data))
    finally:
        torch.cuda.set_sync_debug_mode("default")
