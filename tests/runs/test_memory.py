"""Memory: what there is, what a step keeps, and what is refused before it begins."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ferbench.errors import UserError
from ferbench.runs import memory

CPU = torch.device("cpu")
GIB = 1 << 30


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """machine(file=text, ...): another /, with these files."""

    def put(**files: str) -> None:
        for name, text in files.items():
            path = tmp_path / MACHINE[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    monkeypatch.setattr(memory, "_ROOT", tmp_path)
    return put


MACHINE = {
    "meminfo": "proc/meminfo",
    "limit": "sys/fs/cgroup/memory.max",
    "used": "sys/fs/cgroup/memory.current",
    "stat": "sys/fs/cgroup/memory.stat",
    "limit1": "sys/fs/cgroup/memory/memory.limit_in_bytes",
    "used1": "sys/fs/cgroup/memory/memory.usage_in_bytes",
    "stat1": "sys/fs/cgroup/memory/memory.stat",
}
MEMINFO = "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\n"


def test_free_memory_is_what_the_machine_or_its_container_leaves(
    machine: Callable[..., None],
) -> None:
    assert memory.available(CPU) is None
    machine(meminfo=MEMINFO)
    assert memory.available(CPU) == 8_000_000 * 1024
    machine(limit="max\n", used="5\n", stat="inactive_file 3\n")
    assert memory.available(CPU) == 8_000_000 * 1024
    machine(limit="1000000\n", used="700000\n", stat="anon 1\ninactive_file 200000\n")
    assert memory.available(CPU) == 500_000


def test_containers_of_the_older_kind_are_read(machine: Callable[..., None]) -> None:
    machine(meminfo=MEMINFO, limit1="2000\n", used1="500\n", stat1="cache 9\ninactive_file 100\n")
    assert memory.available(CPU) == 1600


@pytest.mark.parametrize(("needed", "printed"), [(0.9, False), (1.2, True), (1.6, None)])
def test_what_surely_does_not_fit_is_refused_and_what_may_not_is_said(
    needed: float,
    printed: bool | None,
    machine: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine(meminfo=f"MemAvailable: {10 * GIB // 1024} kB\n")
    if printed is None:
        pattern = r"^train\.batch=8: the training needs about 16\.0 GiB of memory, 10\.0 GiB are"
        with pytest.raises(UserError, match=pattern):
            memory.check(needed * 10 * GIB, CPU, "train.batch=8")
        return
    memory.check(needed * 10 * GIB, CPU, "train.batch=8")
    assert capsys.readouterr().out.startswith("note: train.batch=8: the training may") == printed


def test_a_step_keeps_what_the_gradients_need() -> None:
    """Tanh and dropout: their results of 20 numbers of each image, the mask, and the input.

    Inputs 10, tanh's result 20, dropout's mask 20 and result 20 floats an image; the weights' own
    bytes are there once.
    """
    model = nn.Sequential(nn.Linear(10, 20), nn.Tanh(), nn.Dropout(), nn.Linear(20, 1))

    def compute(images: int, copied: nn.Module) -> Tensor:
        loss: Tensor = copied(torch.zeros(images, 10)).sum()
        return loss

    before, state = torch.get_rng_state(), [one.clone() for one in model.parameters()]
    sizes = [
        memory.of_step([model], compute, probe=2, images=n, work=2) - memory.LIBRARIES
        for n in (2, 4, 1000)
    ]
    by_image = (sizes[1] - sizes[0]) / 2 / 2
    assert by_image in (4 * (10 + 20 + 20 + 20), 4 * (10 + 20 + 20) + 20)  # floats, or a byte mask
    assert sizes[2] == sizes[0] + 998 * 2 * by_image
    assert torch.equal(torch.get_rng_state(), before)
    assert all(map(torch.equal, model.parameters(), state))
    assert all(one.grad is None for one in model.parameters())


def test_weights_count_with_all_that_has_their_size() -> None:
    assert memory.of_weights([torch.zeros(3, 5), torch.zeros(2).half()], 3) == 4 * (60 + 4)
