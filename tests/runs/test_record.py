import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import ferbench
from ferbench import runs
from ferbench.errors import UserError
from ferbench.runs import Interrupted, StopSignal


def status(folder):
    return json.loads((folder / "run.json").read_text())


# --- device and seeds ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cuda", "mps", "found"), [(True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_the_fastest_device(monkeypatch, cuda, mps, found):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert runs.resolve_device("auto") == torch.device(found)


@pytest.mark.parametrize("wanted", ["tpu", "cuda:99", "", "cpu:x"])
def test_a_device_that_does_not_exist_is_refused_in_one_line(wanted):
    with pytest.raises(UserError, match=f"device={wanted}: .*expected auto") as refused:
        runs.resolve_device(wanted)
    assert "\n" not in str(refused.value)


def test_a_seed_fixes_every_global_generator():
    drawn = []
    for seed in (3, 3, 4):
        runs.seed_everything(seed)
        drawn.append((torch.rand(2).tolist(), np.random.rand(2).tolist()))
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_freed_memory_is_kept_for_the_next_tensor():
    """Ten tensors of 16 MB, one after another: 4,096 fresh pages each, or none.

    In a process of its own, as the setting stays; the first rounds make the room.
    """
    code = (
        "import torch; from resource import RUSAGE_SELF, getrusage\n"
        "from ferbench.runs import keep_freed_memory\n"
        "keep_freed_memory()\n"
        "for i in range(60):\n"
        "    if i == 50: before = getrusage(RUSAGE_SELF).ru_minflt\n"
        "    torch.ones(4 << 20)\n"
        "print(getrusage(RUSAGE_SELF).ru_minflt - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert int(done.stdout) < 100


# --- signals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_the_old_handler_comes_back(number):
    before = signal.getsignal(number)
    with StopSignal() as stop:
        assert stop.received == 0
        os.kill(os.getpid(), number)
        assert stop.received == number
    assert signal.getsignal(number) is before


def test_a_second_interrupt_ends_at_once():
    def twice():
        with StopSignal():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        twice()
    assert signal.getsignal(signal.SIGINT) is before


def test_outside_the_main_thread_nothing_is_installed():
    before, received = signal.getsignal(signal.SIGTERM), []

    def work():
        with StopSignal() as stop:
            received.append((stop.received, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert received == [(0, before)]


def test_the_exit_status_of_an_interrupted_run_tells_the_signal():
    error = Interrupted("stopped", signal.SIGTERM)
    assert (error.exit_status, str(error)) == (143, "stopped")
    assert isinstance(error, KeyboardInterrupt)


# --- hashes, environment, names ------------------------------------------------------------------


def test_the_hash_does_not_depend_on_the_order_of_keys():
    one = runs.hash_of({"a": 1, "b": {"c": [1, 2.5], "d": None}})
    assert one == runs.hash_of({"b": {"d": None, "c": [1, 2.5]}, "a": 1})
    assert one != runs.hash_of({"a": 1, "b": {"c": [2.5, 1], "d": None}})


def test_the_hash_of_a_known_value():
    """SHA-256 of the text {"a":1}."""
    want = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    assert runs.hash_of({"a": 1}) == want


def test_the_environment_names_code_packages_and_processor():
    found = runs.environment(torch.device("cpu"))
    assert found["packages"]["torch"] == torch.__version__.split("+")[0] or (
        found["packages"]["torch"] == torch.__version__
    )
    assert found["code_version"][0].isdigit()
    assert found["device"] == "cpu"
    assert f"{torch.get_num_threads()} threads" in found["hardware"]
    json.dumps(found)


def test_a_free_folder_gets_the_next_number(tmp_path):
    folder = tmp_path / "run"
    names = []
    for _ in range(3):
        names.append(runs.free_folder(folder).name)
        runs.free_folder(folder).mkdir()
    assert names == ["run", "run-2", "run-3"]


def test_runs_are_named_below_outputs(tmp_path):
    outputs = tmp_path / "outputs"
    assert runs.name_in(outputs, outputs / "classify" / "a") == "classify/a"
    assert runs.name_in(outputs, tmp_path / "b") == str((tmp_path / "b").resolve())


# --- a run's own record --------------------------------------------------------------------------


def test_a_complete_run_keeps_what_the_block_set(tmp_path):
    with runs.recorded(tmp_path / "a", "classify", "seed: 0\n", {"train": "abc"}) as record:
        assert status(tmp_path / "a")["status"] == "running"
        record.update(status="complete", row={"accuracy": 0.5})
    found = runs.status_of(tmp_path / "a")
    assert (found["status"], found["row"]) == ("complete", {"accuracy": 0.5})
    assert (found["command"], found["inputs"], found["error"]) == (
        "classify",
        {"train": "abc"},
        None,
    )
    assert (tmp_path / "a" / "config.yaml").read_text() == "seed: 0\n"


def record_failing(folder, error):
    with runs.recorded(folder, "classify", "", {}):
        raise error


@pytest.mark.parametrize(
    ("error", "wanted", "text"),
    [
        (FloatingPointError("the loss\nis nan"), "failed", "FloatingPointError: the loss is nan"),
        (UserError("a=b: wrong"), "failed", "UserError: a=b: wrong"),
        (SystemExit(3), "failed", "SystemExit: 3"),
        (KeyboardInterrupt(), "interrupted", "interrupted"),
        (Interrupted("stopped; go on", 15), "interrupted", "stopped; go on"),
    ],
)
def test_the_status_follows_what_happens(tmp_path, error, wanted, text):
    with pytest.raises(type(error)):
        record_failing(tmp_path / "a", error)
    found = status(tmp_path / "a")
    assert (found["status"], found["error"]) == (wanted, text)
    assert ("traceback" in found) == (wanted == "failed")


@pytest.mark.parametrize("error", [UserError("table=x: cannot be written"), KeyboardInterrupt()])
def test_a_complete_run_stays_complete(tmp_path, error):
    """What fails after the result, such as the table, does not take it away."""

    def fail_late():
        with runs.recorded(tmp_path / "a", "classify", "", {}) as record:
            record.update(status="complete", row={"accuracy": 0.5})
            raise error

    with pytest.raises(type(error)):
        fail_late()
    found = status(tmp_path / "a")
    assert (found["status"], found["error"], found["row"]) == ("complete", None, {"accuracy": 0.5})


def test_a_run_whose_result_cannot_be_saved_is_not_complete(tmp_path, monkeypatch):
    def full(path, value):
        if value["status"] == "complete":
            raise OSError(28, "No space left on device")
        path.write_text(json.dumps(value))

    monkeypatch.setattr("ferbench.runs.record.save_json", full)
    with pytest.raises(OSError, match="No space"), runs.recorded(tmp_path, "c", "", {}) as record:
        record.update(status="complete")
    assert status(tmp_path)["status"] == "failed"


def test_a_run_that_goes_on_forgets_the_earlier_error(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        record_failing(tmp_path / "a", KeyboardInterrupt())
    with runs.recorded(tmp_path / "a", "classify", "", {}) as record:
        assert (status(tmp_path / "a")["status"], status(tmp_path / "a")["error"]) == (
            "running",
            None,
        )
        record.update(status="complete")
    assert status(tmp_path / "a")["status"] == "complete"


def test_two_processes_cannot_work_on_one_run(tmp_path):
    """A second process is refused while the first is at work, and may come after it."""
    code = (
        "import sys; from pathlib import Path; from ferbench import runs\n"
        "from ferbench.errors import UserError\n"
        "try:\n"
        "    with runs.recorded(Path(sys.argv[1]), 'classify', '', {}): pass\n"
        "except UserError as error: print(error)"
    )

    def other():
        command = [sys.executable, "-c", code, str(tmp_path / "a")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with runs.recorded(tmp_path / "a", "classify", "", {}):
        assert "another process is at work on this run" in other()
        assert status(tmp_path / "a")["pid"] == os.getpid()
    assert other() == ""


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    folder = tmp_path / "a"
    (folder / "samples").mkdir(parents=True)
    (folder / ".state.pt.4711.part").write_bytes(b"half")
    (folder / "samples" / ".angry.png.4711.part").write_bytes(b"half")
    with runs.recorded(folder, "classify", "", {}):
        assert sorted(path.name for path in folder.rglob("*")) == [
            ".lock",
            "config.yaml",
            "run.json",
            "samples",
        ]


def test_parts_are_left_alone_while_another_process_is_at_work(tmp_path):
    half = tmp_path / ".images.npy.4711.part"
    half.write_bytes(b"half")
    with runs.alone(tmp_path, "this run"):
        runs.remove_left_parts(tmp_path)
        assert half.exists()
    runs.remove_left_parts(tmp_path)
    assert not half.exists()


def test_a_folder_without_a_run_has_no_status_and_a_damaged_one_is_refused(tmp_path):
    assert runs.status_of(tmp_path / "nowhere") == {}
    (tmp_path / "run.json").write_text('{"status": "comp')
    with pytest.raises(UserError, match=r"run\.json: damaged"):
        runs.status_of(tmp_path)


def test_a_copy_that_is_no_checkout_has_the_version_alone(monkeypatch):
    runs.code_version.cache_clear()
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert runs.code_version() == ferbench.__version__
    runs.code_version.cache_clear()


def test_a_checkout_that_is_not_installed_knows_its_version(tmp_path):
    """As on a lent machine: a copy of the sources on PYTHONPATH, no metadata of the package."""
    shutil.copytree(Path(ferbench.__file__).parent, tmp_path / "ferbench")
    code = (
        "import importlib.metadata as metadata\n"
        "def refuse(name): raise metadata.PackageNotFoundError(name)\n"
        "metadata.version = refuse\n"
        "from ferbench import runs\n"
        "print(runs.code_version(), flush=True)\n"
        "import sys\n"
        "sys.argv = ['ferbench', '--version']\n"
        "from ferbench.cli.main import main\n"
        "main()\n"
    )
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    version = ferbench.__version__
    assert done.stdout.splitlines() == [version, f"ferbench {version}"]
