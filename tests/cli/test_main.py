"""The command line as a user meets it: what is printed, and the exit status."""

import os
import re
import resource
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from ferbench import stopping
from ferbench.cli import arguments as overrides
from ferbench.cli import completion, help, main
from ferbench.config import yaml_files
from ferbench.config.commands import COMMANDS, keys_of
from ferbench.errors import UserError

Ferbench = Callable[..., tuple[int, str, str]]
HEAVY = {"torch", "numpy", "pandas", "PIL", "sklearn", "matplotlib", "hydra", "omegaconf", "joblib"}


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configs that commands were called with; the commands themselves do nothing."""
    called: list[Any] = []
    for command in COMMANDS:
        module = ModuleType(f"ferbench.commands.{command}")
        module.run = called.append  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return called


@pytest.fixture
def ferbench(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Ferbench]:
    """Run a command line in this process, in an empty folder: (status, stdout, stderr)."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ferbench", *words])
        with pytest.raises(SystemExit) as done:
            main()
        assert isinstance(done.value.code, int)
        return done.value.code, *capfd.readouterr()

    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.chdir(tmp_path)
    yield run
    signal.signal(signal.SIGTERM, handler)


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(job: Any) -> None:
        raise error

    monkeypatch.setattr(sys.modules["ferbench.commands.classify"], "run", run)


# --- mistakes ------------------------------------------------------------------------------------

MISTAKES = {
    "clasify": "clasify: no such command; did you mean classify?",
    "-m classify": "-m: expected a command before it, one of ",
    "seed=1 classify": "seed=1: expected a command before it, one of ",
    "help clasify": "clasify: no such command; did you mean classify?",
    # keys
    "classify train.epochss=3": "train.epochss: no such key of ferbench classify; "
    "did you mean train.epochs, ",
    "classify lr=0.1": "lr: no such key of ferbench classify; did you mean train.peak_lr?",
    "classify epochs=3": "epochs: no such key of ferbench classify; did you mean train.epochs?",
    "classify qqqqqq=3": "qqqqqq: no such key of ferbench classify; --help lists what there is",
    "classify seed": "seed: a value is needed; expected seed=VALUE",
    "classify seed 1": "seed: a value is needed; expected seed=VALUE",
    "classify =1": "=1: expected key=value",
    "classify ~seed": "~seed: a key cannot be removed; expected seed=VALUE",
    "classify ~train": "~train: a key cannot be removed; expected train=VALUE",
    "evaluate": "run=: a value is needed; expected folder of a run of `ferbench classify`",
    "prepare": "source=: a value is needed; expected path of the zip, ",
    # values
    "classify seed=abc": "seed=abc: expected an integer",
    "classify seed=1.5": "seed=1.5: expected an integer",
    "classify seed=null": "seed=null: expected an integer",
    "classify seed=": "seed=: expected an integer",
    "classify seed=-1": "seed=-1: expected at least 0",
    "classify seed=4294967296": "seed=4294967296: expected a value from 0 to 4294967295",
    "classify seed=[1": "seed=[1: cannot be read; expected an integer",
    "classify device=[1": "device=[1: cannot be read; expected text, in quotes if ",
    "classify train.peak_lr=fast": "train.peak_lr=fast: expected a number",
    "classify train.compile=3x": "train.compile=3x: expected true or false",
    "classify model.width=1.5": "model.width=1.5: expected an integer or null",
    "classify train.epochs=0": "train.epochs=0: expected at least 1",
    "classify precision=fp8": "precision=fp8: unknown; expected one of auto, bf16, fp16, fp32",
    "classify 'name=a b'": "name=a b: expected letters, digits, '.', '_' and '-'",
    "classify train.augment=3": "train.augment=3: is a section; expected one of its keys, "
    "like train.augment.flip=VALUE",
    "classify 'train={epochss: 3}'": "train.epochss: no such key of ferbench classify; ",
    "classify 'train.epochs=${foo}'": "train.epochs: Interpolation key 'foo' not found",
    # names that end in the name of a folder
    "train-gan gan.name=../../evil": "gan.name=../../evil: expected letters, digits, '.', ",
    "train-gan gan.name=/abs/path": "gan.name=/abs/path: expected letters, digits, '.', ",
    "train-gan gan.name=..": "gan.name=..: expected letters, digits, '.', ",
    f"train-gan gan.name={'a' * 300}": "gan.name=aaaaaaaaaaaaaaaaaaaa...: 300 letters; expected at",
    "classify model.name=../cnn": "model.name=../cnn: expected letters, digits, '.', ",
    f"classify name={'a' * 101}": "name=aaaaaaaaaaaaaaaaaaaa...: 101 letters; expected at most 100",
    f"synth name={'ä' * 99}": "name=ääääääääääääääääääää...: 198 letters; expected at most 100",
    "classify data.name=../toy": "data.name=../toy: unknown; ",
    # options
    "classify model=resnet5": "model=resnet5: no such option; did you mean resnet50, resnet18?",
    "classify model=[cnn,vg]": "model=vg: no such option; did you mean vgg?",
    "classify train=null": "train=null: an option is needed; expected one of default, ",
    "classify experiment=null": "experiment=null: an option is needed; expected one of ",
    "classify launcher=slurm": "launcher=slurm: no such option; expected one of joblib, local",
    "classify hydra/launcher=ray": "hydra/launcher=ray: no such option; expected one of basic, "
    "joblib; more are plugins: pip install hydra-ray-launcher",
    "classify hydra.launcher.n_jobs=2": "hydra.launcher.n_jobs: no such key with these options; ",
    # two names of one key
    "classify data=mixed mix=add data.mix.how=replace": "mix=add data.mix.how=replace: two names ",
    "classify +data.real_limit=0.1 real_limit=0.2": "+data.real_limit=0.1 real_limit=0.2: two ",
    "classify data.teacher=auto data.teacher.run=x": "data.teacher=auto data.teacher.run=x: two ",
    # sweeps
    "classify seed=0,1": "seed=0,1: several values are a sweep; "
    "expected -m before it: ferbench classify -m seed=0,1",
    "classify model=cnn,vgg": "model=cnn,vgg: several values are a sweep; expected -m ",
    "classify 'seed=range(0,3)'": "seed=range(0,3): several values are a sweep; expected -m ",
    "classify -m seed=0,abc": "seed=abc: expected an integer",
    "classify -m model=cnn,vg": "model=vg: no such option; did you mean vgg?",
    "classify -m 'seed=interval(0,1)'": "seed=interval(0,1): no end of values; expected ",
    # flags
    "classify --forc": "--forc: no such flag; did you mean --force",
    "classify --rebuild": "--rebuild: no such flag; expected one of ",
    "classify --seed=1": "--seed=1: not a flag; expected seed=1",
    "classify --model vgg": "--model: not a flag; expected model=VALUE",
    "table --rebuild=xx": "rebuild=xx: expected true or false",
    "classify --cfg": "--cfg: a value is needed; expected --cfg job, hydra or all",
    "classify --cfg jop": "--cfg=jop: unknown; did you mean job?",
    "classify --resolve": "--resolve: goes with --cfg job; expected both",
    "classify -m --cfg job": "--cfg: prints one config; expected no --multirun with it",
    "classify -p train": "--package: goes with --cfg job; expected both",
    "classify --cfg job -p trian": "--package=trian: unknown; did you mean train",
    "classify -cd nowhere": "--config-dir=nowhere: no such folder; expected ",
    "classify --help modle": "--help modle: no such group of ferbench classify; did you mean ",
    "classify --help train=slow": "train=slow: no such option; expected one of default, ",
    "--completion tcsh": "--completion tcsh: unknown; expected bash",
    # resume
    "classify resume=nowhere": "resume=nowhere: no config.yaml in it; expected a run's folder",
    "classify resume=a seed=1": "resume=a: goes on with the run's own config; leave out seed=1",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_gets_one_line_and_status_2(
    line: str, ferbench: Ferbench, jobs: list[Any], tmp_path: Path
) -> None:
    status, out, err = ferbench(*shlex.split(line))
    assert (status, out, jobs) == (2, "", [])
    assert err.startswith(f"ferbench: {MISTAKES[line]}")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert "outputs" not in os.listdir(tmp_path) or "-m" in line


OWN_FILES = {
    "train: {epochss: 3}": "experiment/own.yaml: train.epochss: no such key of ferbench classify; ",
    "train: {epochs: many}": "experiment/own.yaml: train.epochs=many: expected an integer",
    "defaults: [override /model: vg]": "model=vg: no such option; did you mean vgg?",
    "defaults: [override /modle: vgg]": "experiment/own.yaml: Could not override 'modle'.",
    "real_limit: 0.1\ndata: {real_limit: 0.2}": "data.real_limit=0.2: is given as data.",
    "data: {mix: {how: add}}\nmix: replace": "data.mix.how=replace: is given as data.",
    "train: {epochs: 3": "while parsing a flow mapping in ",
}


@pytest.mark.parametrize("text", OWN_FILES)
def test_a_mistake_in_an_own_file_names_the_file(
    text: str, ferbench: Ferbench, jobs: list[Any], tmp_path: Path
) -> None:
    own = tmp_path / "own" / "experiment" / "own.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(f"# @package _global_\n{text}\n")
    status, out, err = ferbench("classify", "--config-dir", "own", "experiment=own")
    assert (status, out, jobs) == (2, "", [])
    assert err.startswith(f"ferbench: {OWN_FILES[text]}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["../../evil", "/abs/evil", "evil/../..", "a" * 300, ""])
def test_a_preset_cannot_name_a_folder_elsewhere(
    name: str, ferbench: Ferbench, jobs: list[Any], tmp_path: Path
) -> None:
    for group, command in (("gan", "train-gan"), ("model", "classify")):
        (tmp_path / group).mkdir()
        base = {"gan": "tiny", "model": "cnn"}[group]
        text = f"defaults: [{base}, _self_]\nname: '{name}'\n"
        (tmp_path / group / "own.yaml").write_text(text)
        status, _, err = ferbench(command, "-cd", ".", f"{group}=own")
        assert (status, jobs) == (2, [])
        assert err.startswith(f"ferbench: {group}.name={name[:20]}")
        assert err.count("\n") == 1


def test_own_options_are_taken_from_config_dir(
    ferbench: Ferbench, jobs: list[Any], tmp_path: Path
) -> None:
    for group, text in (("experiment", "# @package _global_\nseed: 7"), ("train", "epochs: 3")):
        (tmp_path / group).mkdir()
        (tmp_path / group / "own.yaml").write_text(text)
    assert ferbench("classify", "-cd", ".", "experiment=own")[0] == 0
    assert jobs[0].seed == 7
    assert ferbench("classify", "-cd", ".", "train=[default,own]")[0] == 0
    assert (jobs[1].train.epochs, jobs[1].train.batch) == (3, jobs[0].train.batch)


def test_short_spellings_stand_in_own_files_too(
    ferbench: Ferbench, jobs: list[Any], tmp_path: Path
) -> None:
    """In an experiment, in an option of data, and in every job of a sweep."""
    files = {
        "experiment/few": "# @package _global_\ndefaults: [override /data: mixed]\n"
        "real_limit: 0.1\ndata: {mix: add, synthetic_per_real: 9, synthetic: a set}",
        "data/taught": "defaults: [synthetic, _self_]\nname: synthetic\nteacher: auto\n"
        "synthetic_limit: 700\nsynthetic: {balance: natural}",
    }
    for name, text in files.items():
        path = tmp_path / "my, own" / f"{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert ferbench("classify", "--config-dir", "my, own", "experiment=few")[0] == 0
    data = jobs[0].data
    assert (data.real_limit, data.mix.how, data.mix.synthetic_per_real) == (0.1, "add", 9.0)
    assert data.synthetic.folder == "a set"
    sweep = ("-m", "--config-dir", "my, own", "data=taught,toy", "seed=0,1")
    assert ferbench("classify", *sweep)[0] == 0
    assert [job.data.name for job in jobs[1:]] == ["synthetic", "synthetic", "toy", "toy"]
    data = jobs[1].data
    assert (data.teacher.run, data.teacher.weight) == ("auto", 1.0)
    assert (data.synthetic.limit, data.synthetic.balance) == (700, "natural")


# --- what else can end a command -----------------------------------------------------------------


def test_a_user_error_of_the_command_is_one_line(
    ferbench: Ferbench, jobs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, UserError("data=real: not there; expected it"))
    assert ferbench("classify") == (2, "", "ferbench: data=real: not there; expected it\n")


def test_numbers_that_broke_are_one_line(
    ferbench: Ferbench, jobs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, FloatingPointError("train.peak_lr=9: the loss is nan"))
    assert ferbench("classify") == (2, "", "ferbench: train.peak_lr=9: the loss is nan\n")


def test_a_bug_shows_its_traceback_and_no_line_of_hydra(
    ferbench: Ferbench, jobs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, ZeroDivisionError("boom"))
    status, out, err = ferbench("classify")
    assert (status, out) == (1, "")
    assert err.startswith("Traceback")
    assert err.endswith("ZeroDivisionError: boom\n")
    assert "in run" in err
    assert "Error executing job" not in err


@pytest.mark.parametrize("line", ["classify seed=abc", "clasify", "classify -m seed=-1"])
def test_full_error_shows_the_traceback_of_a_mistake(
    line: str, ferbench: Ferbench, jobs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    status, _, err = ferbench(*line.split())
    assert status == 2
    assert "Traceback" in err
    assert "ferbench.errors.UserError: " in err
    assert os.environ["HYDRA_FULL_ERROR"] == "1"


def test_the_environment_is_left_as_it_was(ferbench: Ferbench, jobs: list[Any]) -> None:
    ferbench("classify")
    assert os.environ.get("HYDRA_FULL_ERROR", "0") == "0"


def test_ctrl_c_is_one_line_and_status_130(
    ferbench: Ferbench, jobs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, KeyboardInterrupt())
    assert ferbench("classify") == (130, "", "ferbench: interrupted\n")
    status, out, err = ferbench("classify", "-m", "seed=0,1")
    goes_on = "ferbench: interrupted; the same command goes on\n"
    assert (status, out, err) == (130, "[1] seed=0\n", goes_on)


def test_a_stop_with_its_own_status_keeps_it(
    ferbench: Ferbench, jobs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = KeyboardInterrupt("stopped, the state is saved")
    stop.exit_status = 143  # type: ignore[attr-defined]
    fail_with(monkeypatch, stop)
    assert ferbench("classify") == (143, "", "ferbench: stopped, the state is saved\n")


def test_sigterm_is_one_line_and_status_143(
    ferbench: Ferbench, jobs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cleaning up happens: the `finally` of the command runs."""
    cleaned = []

    def run(job: Any) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            cleaned.append(True)

    monkeypatch.setattr(sys.modules["ferbench.commands.classify"], "run", run)
    assert ferbench("classify") == (143, "", "ferbench: terminated\n")
    assert cleaned == [True]


def signal_in_the_last_step(monkeypatch: pytest.MonkeyPatch, number: int) -> list[int]:
    """Runs that end well although a signal came in their last step; the seeds of those that did."""
    done: list[int] = []

    def run(job: Any) -> None:
        with stopping.StopSignal():
            os.kill(os.getpid(), number)
        done.append(job.seed)

    monkeypatch.setattr(sys.modules["ferbench.commands.classify"], "run", run)
    return done


@pytest.mark.parametrize(("number", "wanted"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_the_last_step_of_a_run_stops_the_sweep_after_it(
    number: int,
    wanted: int,
    ferbench: Ferbench,
    jobs: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = signal_in_the_last_step(monkeypatch, number)
    status, out, err = ferbench("classify", "-m", "seed=0,1,2")
    assert (status, out, done) == (wanted, "[1] seed=0\n", [0])
    assert err == "ferbench: stopped before the next run; the same command goes on\n"
    assert ferbench("classify", "seed=5") == (0, "", "")  # a single run has ended well
    fail_with(monkeypatch, UserError("a mistake"))
    status, _, err = ferbench("classify", "-m", "seed=0,1")  # no signal is left over
    assert (status, err) == (2, 2 * "ferbench: a mistake\n")


def test_a_signal_before_a_failure_stops_the_sweep_too(
    ferbench: Ferbench, jobs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(job: Any) -> None:
        with stopping.StopSignal():
            os.kill(os.getpid(), signal.SIGTERM)
        raise UserError("a mistake")

    monkeypatch.setattr(sys.modules["ferbench.commands.classify"], "run", run)
    status, out, err = ferbench("classify", "-m", "seed=0,1")
    assert (status, out) == (143, "[1] seed=0\n")
    assert err.splitlines()[0] == "ferbench: a mistake"


@pytest.mark.parametrize("words", [["--help"], ["classify", "--cfg", "job"]])
def test_a_closed_pipe_ends_quietly(words: list[str]) -> None:
    """`ferbench ... | true`: killed-by-SIGPIPE's status, and nothing on stderr."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "ferbench", *words]
    done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_broken_pipe_elsewhere_is_a_bug(
    ferbench: Ferbench, jobs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, BrokenPipeError("a worker died"))
    status, _, err = ferbench("classify")
    assert status == 1
    assert err.endswith("BrokenPipeError: a worker died\n")


# --- sweeps --------------------------------------------------------------------------------------


def test_a_sweep_runs_every_combination(ferbench: Ferbench, jobs: list[Any]) -> None:
    status, out, err = ferbench("classify", "seed=0,1", "-m", "model=cnn,vgg", "+device=cpu")
    assert (status, err) == (0, "")
    assert [(job.seed, job.model.name, job.device) for job in jobs] == [
        (0, "cnn", "cpu"),
        (0, "vgg", "cpu"),
        (1, "cnn", "cpu"),
        (1, "vgg", "cpu"),
    ]
    assert out.splitlines()[1] == "[2] seed=0 model=vgg device=cpu"


def test_mistakes_of_a_sweep_are_said_before_its_first_run(
    ferbench: Ferbench, jobs: list[Any]
) -> None:
    """Each once, whatever it is combined with."""
    status, out, err = ferbench("classify", "-m", "model=cnn,vgg", "seed=0,-1,1,-2")
    assert (status, out, jobs) == (2, "", [])
    assert err == "ferbench: seed=-1: expected at least 0\nferbench: seed=-2: expected at least 0\n"
    status, out, err = ferbench("classify", "-m", "train.label_smoothing=0.1,1", "seed=0,1")
    assert (status, out, jobs) == (2, "", [])
    assert err.startswith("ferbench: train.label_smoothing=1.0: expected a value from 0 to 0.99")
    assert err.count("\n") == 1


def test_mistakes_in_own_files_and_globs_of_a_sweep_are_found_first(
    ferbench: Ferbench, jobs: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "own.yaml").write_text("defaults: [default, _self_]\nepochs: -1\n")
    status, out, err = ferbench("classify", "-m", "-cd", ".", "train=quick,own")
    assert (status, out, jobs) == (2, "", [])
    assert err.startswith("ferbench: train.epochs=-1: expected at least 1")
    assert ferbench("classify", "-m", "model=glob(resnet*)")[0] == 0
    assert [job.model.name for job in jobs] == ["resnet18", "resnet50"]


def fail_by_seed(monkeypatch: pytest.MonkeyPatch, errors: dict[int, Exception]) -> list[int]:
    """Runs that fail by their seeds; the seeds of those that do not."""
    done: list[int] = []

    def run(job: Any) -> None:
        if job.seed in errors:
            raise errors[job.seed]
        done.append(job.seed)

    monkeypatch.setattr(sys.modules["ferbench.commands.classify"], "run", run)
    return done


def test_a_sweep_goes_on_after_a_mistake(
    ferbench: Ferbench, jobs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a kind that only the run itself can find."""
    errors: dict[int, Exception] = {1: UserError("one"), 3: UserError("three")}
    done = fail_by_seed(monkeypatch, errors)
    status, _, err = ferbench("classify", "-m", "seed=0,1,2,3")
    assert (status, done, err) == (2, [0, 2], "ferbench: one\nferbench: three\n")


def test_a_bug_outranks_mistakes_in_a_sweep(
    ferbench: Ferbench, jobs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake = UserError("seed=1: a mistake")
    fail_by_seed(monkeypatch, {1: mistake, 0: ZeroDivisionError("boom"), 2: mistake})
    status, _, err = ferbench("classify", "-m", "seed=1,0,2")
    assert status == 1
    assert err.count("ferbench: seed=") == 2
    assert err.count("ZeroDivisionError: boom\n") == 1


def test_jobs_in_other_processes_report_the_same_way(ferbench: Ferbench) -> None:
    """joblib's workers: one line a mistake, nothing of Hydra's, and the status."""
    words = "table -m hydra/launcher=joblib hydra.launcher.n_jobs=2 kind=audit,fidelty,curat"
    status, out, err = ferbench(*words.split())
    assert status == 2
    assert sorted(err.splitlines()) == [
        "ferbench: kind=curat: unknown; did you mean curate?",
        "ferbench: kind=fidelty: unknown; did you mean fidelity?",
    ]
    assert len(re.findall(r"^\[\d\] ", out, re.MULTILINE)) == 3


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_line_of_a_sweep_is_one_write(tmp_path: Path, unbuffered: str) -> None:
    """So that lines of several processes stay whole; a datagram's socket tells writes apart."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        subprocess.run(
            [sys.executable, "-m", "ferbench", *["table", "-m", "kind=fidelty,curat"]],
            cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=theirs,
            stderr=theirs,
            check=False,
        )
        theirs.close()
        ours.setblocking(False)
        writes = []
        with suppress(BlockingIOError):
            while text := ours.recv(65536):
                writes.append(text.decode())
    assert writes == [
        "[1] kind=fidelty\n",
        "ferbench: kind=fidelty: unknown; did you mean fidelity?\n",
        "[2] kind=curat\n",
        "ferbench: kind=curat: unknown; did you mean curate?\n",
        "next: the same command tries the 2 runs that failed again\n",
    ]


# --- help, version, completion -------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["classify"], ["classify", "train"]])
def test_help_is_quick_and_imports_nothing_heavy(words: list[str]) -> None:
    """Below 0.5 s; the processor's time is measured, because machines may be busy."""
    code = (
        "import sys; from ferbench.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)\n"
    )
    arguments = [*words[:1], "--help", *words[1:]]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout
    assert not HEAVY & {name.partition(".")[0] for name in done.stderr.split()}
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_commands_groups_and_options(words: list[str], ferbench: Ferbench) -> None:
    status, out, err = ferbench(*words)
    assert (status, err) == (0, "")
    assert {line.split()[0] for line in out.splitlines() if line.startswith("  ")} >= set(COMMANDS)
    for command in COMMANDS:
        for group in yaml_files.groups_of(command):
            assert f"\n  {group} " in out
            assert set(yaml_files.options_of(group)) <= set(out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_names_groups_options_and_keys(command: str, ferbench: Ferbench) -> None:
    status, out, err = ferbench(command, "--help")
    assert (status, err) == (0, "")
    assert ferbench("help", command) == (0, out, "")
    words = out.split()
    for group, default in yaml_files.groups_of(command).items():
        options = {f"{group}={option}" for option in yaml_files.options_for(command, group)}
        assert options <= set(words)
        assert default == "null" or f"{group}={default} *" in out
    for key, kind in keys_of(COMMANDS[command]).items():
        if isinstance(kind, type) and kind.__module__.startswith("ferbench"):
            continue  # a section
        prefix, _, name = key.rpartition(".")
        if name == "name" and prefix:
            continue  # says which option it is
        if any(word.startswith(f"{key}=") for word in words):
            continue  # a section of the primary file
        assert any(word.startswith(f"{name}=") for word in words), key
        assert not prefix or f"  {prefix}. " in out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_what_a_command_reads_and_no_more(command: str, ferbench: Ferbench) -> None:
    """Every key of its schema once, with the value of the composed config, and no other key."""
    shown: dict[str, str] = {}
    prefix = ""
    for line in ferbench(command, "--help")[1].partition("\nkeys")[2].splitlines():
        own, defaults = (
            re.match(r"  ([a-z][\w.]*)=(\S*)", line),
            re.match(r"  ([a-z_.]+\.)  +", line),
        )
        if " *" in line or (own and own[1] in yaml_files.groups_of(command)):
            continue
        prefix = defaults[1] if defaults else prefix
        for word in line.split() if defaults or (line.startswith("    ") and prefix) else []:
            if key := re.fullmatch(r"(\w+)=(\S*)", word):
                assert prefix + key[1] not in shown, key
                shown[prefix + key[1]] = key[2]
        if own:
            assert own[1] not in shown
            shown[own[1]] = own[2]
    sections = {key.rpartition(".")[0] for key in keys_of(COMMANDS[command])}
    read = {key for key in keys_of(COMMANDS[command]) if key not in sections}
    assert set(shown) == {key for key in read if not key.endswith(".name")}
    composed = OmegaConf.create(ferbench(command, "--cfg", "job")[1])
    for key, text in shown.items():
        value = OmegaConf.select(composed, key, throw_on_resolution_failure=False)
        if text and "${" not in text:
            assert yaml.safe_load(text) == value, key


def test_help_has_no_section_without_content_and_no_keys_of_no_command() -> None:
    texts = [help.overview(), *map(help.command, COMMANDS)]
    for text in texts:
        assert ":\n\n" not in text
    assert not re.search(r"^  \w+=", help.overview(), re.MULTILINE)


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_help_fits_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    texts = [help.overview(), *map(help.command, COMMANDS)]
    texts += [help.group("classify", [group]) for group in yaml_files.groups_of("classify")]
    for line in "\n".join(texts).splitlines():
        assert len(line) <= min(columns, 100), line
        assert line == line.rstrip()


def test_help_of_a_group_shows_the_chosen_option(ferbench: Ferbench) -> None:
    _, out, _ = ferbench("classify", "--help", "train=sgd")
    keys = dict(re.findall(r"^  (train\.[\w.]+)=(\S*)", out, re.MULTILINE))
    assert keys["train.optimizer"] == "sgd"
    assert keys["train.augment.flip"] == "0.5"
    assert set(keys) == {
        key for key in keys_of(COMMANDS["classify"]) if key.startswith("train.")
    } - {"train.augment", "train.name"}
    assert ferbench("classify", "train=sgd", "-h")[1] == out


def test_help_of_a_group_shows_short_spellings(ferbench: Ferbench) -> None:
    _, out, _ = ferbench("classify", "--help", "data=mixed")
    assert "\n  mix= " in out and "\n  data.teacher= " in out and "  data.teacher.run\n" in out
    assert "short spellings" not in ferbench("classify", "--help", "model")[1]
    assert "mix=" not in ferbench("fidelity", "--help", "data")[1]


def test_examples_in_the_help_are_right(ferbench: Ferbench, jobs: list[Any]) -> None:
    """Their keys and options exist; the one that starts most runs starts them."""
    overview = re.findall(r"^  (ferbench .*=.*)$", help.overview(), re.MULTILINE)
    shown = overview + [line for command in COMMANDS for line in yaml_files.examples(command)]
    assert len(shown) >= 2 + 2 * len(COMMANDS)
    for line in shown:
        _, command, *words = shlex.split(line)
        overrides.for_hydra(command, words)
    assert ferbench(*shlex.split(overview[-1])[1:])[0] == 0
    assert len(jobs) == 6


@pytest.mark.parametrize("line", ["--version", "-V", "classify --version"])
def test_version_is_ours(line: str, ferbench: Ferbench) -> None:
    status, out, err = ferbench(*line.split())
    assert (status, err) == (0, "")
    assert re.fullmatch(r"ferbench \d+\.\d+\.\d+\S*\n", out)


def test_cfg_prints_the_config_and_runs_nothing(ferbench: Ferbench, jobs: list[Any]) -> None:
    status, out, err = ferbench("classify", "--cfg", "job", "--resolve", "data=toy", "outputs=a b")
    assert (status, err, jobs) == (0, "", [])
    assert "  folder: a b/data/toy\n" in out
    assert (
        ferbench("classify", "train=sgd", "--cfg=job", "-p", "train")[1].count("optimizer: sgd")
        == 1
    )


def test_cfg_says_what_the_run_would_refuse(ferbench: Ferbench, jobs: list[Any]) -> None:
    status, out, err = ferbench("classify", "--cfg", "job", "seed=-1", "data=mixed")
    assert (status, jobs) == (2, [])
    assert "\nseed: -1\n" in out
    assert err == "ferbench: seed=-1: expected at least 0\n"
    status, out, err = ferbench("evaluate", "--cfg", "job")  # what is to be given shows as ???
    assert (status, err) == (0, "")
    assert "\nrun: ???\n" in out


COMPLETIONS = {
    "ferbench cl": ["classify "],
    "ferbench classify mod": [
        "model=",
        "model.name=",
        "model.stem=",
        "model.input_px=",
        "model.pretrained=",
        "model.tune=",
        "model.dropout=",
        "model.width=",
    ],
    "ferbench classify model=res": ["model=resnet18", "model=resnet50"],
    "ferbench classify -m model=cnn,resnet5": ["model=cnn,resnet50"],
    "ferbench classify model=cnn force=t": ["force=true "],
    "ferbench classify --conf": ["--config-dir "],
    "ferbench prepare source=fer": [],
    "ferbench nothing mod": [],
}


@pytest.mark.parametrize("line", COMPLETIONS)
def test_completion(line: str) -> None:
    assert completion.candidates(line) == COMPLETIONS[line]


def test_bash_completes_behind_the_equals_sign(tmp_path: Path) -> None:
    """Bash takes `=` for the end of a word, so only what follows it is offered."""
    script = (
        f'ferbench() {{ {shlex.quote(sys.executable)} -m ferbench "$@"; }}\n'
        'eval "$(ferbench --completion bash)"\n'
        'COMP_LINE="ferbench classify model=resnet1" COMP_POINT=31\n'
        "_ferbench; echo \"${COMPREPLY[*]}\"; COMP_WORDBREAKS=' '; _ferbench; echo ${COMPREPLY[*]}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["resnet18", "model=resnet18"]
