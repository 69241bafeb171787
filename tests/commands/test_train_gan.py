"""`ferbench train-gan`: what a run leaves, going on in the same bits, and what is refused."""

import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from ferbench import runs
from ferbench.classes import CLASSES
from ferbench.classifiers.judge import Judge
from ferbench.commands import inputs, judges, train_gan
from ferbench.config.yaml_files import CONF
from ferbench.data import face_set
from ferbench.errors import UserError
from ferbench.gan import score, setup, trained
from ferbench.gan.faces import prepare
from ferbench.gan.weights import STATE_FORMAT
from ferbench.models import NetworkOptions, build
from ferbench.runs import Compute, Interrupted, checkpoint, memory
from ferbench.runs.precision import Precision
from stylegan2_ada.training import loop

CPU = torch.device("cpu")
SMALL = [
    "gan=tiny",
    "device=cpu",
    "precision=fp32",
    "logger=none",
    "gan.res=12",
    "gan.z_dim=8",
    "gan.w_dim=8",
    "gan.channel_base=128",
    "gan.channel_max=8",
    "gan.batch=16",
    "gan.tick_kimg=0.064",
    "gan.sample_ticks=2",
    "gan.score_ticks=2",
    "gan.score_per_class=4",
    "gan.augment=ada",
    "gan.lr=0.0025",
    "gan.ada_ramp_kimg=1",
    "gan.path_interval=4",
    "gan.collapse_from_kimg=100",
]


@pytest.fixture
def gan_job(make_job: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *overrides: make_job("train-gan", *SMALL, *overrides)


def made_judge(name: str, hash: str, seed: int) -> Judge:
    """A classifier that knows nothing."""
    torch.manual_seed(seed)
    options = NetworkOptions(
        name="cnn",
        stem="small",
        input_px=48,
        pretrained="none",
        tune="all",
        dropout=0.0,
        width=4,
    )
    model = build(options, classes=7)
    return Judge(model, Precision("fp32", "cpu"), CPU, name=name, hash=hash, data_hash="d")


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    """A judge that is found for every data set."""
    judge = made_judge("made", "h", 0)
    monkeypatch.setattr(judges, "find", lambda outputs, data_hash: Path("made"))
    monkeypatch.setattr(inputs, "open_judge", lambda path, compute, key: judge)
    return judge


@pytest.fixture
def whole(finished: Callable[..., Path]) -> Path:
    """The folder of a run of 192 images that nothing stopped."""
    return finished("train-gan", *SMALL, "total_kimg=0.192", "judge=none", "name=whole")


@pytest.fixture
def short_run(finished: Callable[..., Path]) -> Path:
    """The folder of a run of 64 images."""
    return finished("train-gan", *SMALL, "total_kimg=0.064", "judge=none")


def only_run(outputs: Path) -> Path:
    (folder,) = (outputs / "train-gan").iterdir()
    return folder


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, (list, tuple)):
        items = list(enumerate(value))
    else:
        return {path: value}
    return {k: v for key, inner in items for k, v in leaves(inner, f"{path}/{key}").items()}


def assert_same_state(a: Path, b: Path) -> None:
    """Weights, averages, optimizers, streams, data order, statistics: every bit."""
    wanted, got = (checkpoint.load_plain(folder / "state.pt") for folder in (a, b))
    wanted, got = (leaves({k: s[k] for k in ("trainer", "batches")}) for s in (wanted, got))
    assert wanted.keys() == got.keys()
    for name, value in wanted.items():
        same = torch.equal(value, got[name]) if torch.is_tensor(value) else value == got[name]
        assert same, name


# --- what a run leaves ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["stylegan2", "acgan", "cgan"])
def test_a_run_leaves_its_record_and_a_generator(
    gan_job: Callable[..., Any], outputs: Path, judge: Judge, kind: str
) -> None:
    plain = ["gan.path_interval=0", f"gan.aux_weight={int(kind == 'acgan')}", f"gan.kind={kind}"]
    train_gan.run(gan_job("total_kimg=0.192", *(plain if kind != "stylegan2" else [])))
    folder = only_run(outputs)
    facts = runs.status_of(folder)
    assert (facts["status"], facts["kimg"]) == ("complete", 0.192)
    rows = history(folder)
    assert [row["kimg"] for row in rows] == [0.064, 0.128, 0.192]
    assert ["distance" in row for row in rows] == [False, True, True]
    assert all(f"diversity_{name}" in row for row in rows for name in CLASSES)
    found = trained.load(folder, device=CPU)
    assert found.classes == CLASSES
    assert found.facts["res"] == 12
    assert sum(found.facts["class_counts"].values()) == 140
    assert Image.open(folder / "samples.png").size[0] > 10 * 12
    assert len(list((folder / "samples").glob("*.png"))) == 3  # first, second and last tick
    best = min(rows[1:], key=lambda row: row["distance"])
    assert facts["best"]["distance"] == best["distance"]
    assert found.facts["kimg"] == best["kimg"]


@pytest.mark.parametrize(("precision", "clamp"), [("fp16", 256.0), ("bf16", None), ("fp32", None)])
def test_activations_are_bounded_only_in_float16(
    gan_job: Callable[..., Any], precision: str, clamp: float | None
) -> None:
    pixels = torch.zeros(7, 48, 48, dtype=torch.uint8).numpy()
    material = prepare(pixels, torch.arange(7).numpy(), res=48, channels=1, conditional=True)
    for network in setup.networks(gan_job().gan, material, precision=precision):
        assert network.config.conv_clamp == clamp


def test_the_light_checkpoint_is_the_average_to_half_precision(short_run: Path) -> None:
    state = checkpoint.load_plain(short_run / "state.pt")["trainer"]["modules"]["ema"]
    found = trained.load(short_run / trained.LATEST, device=CPU).network.state_dict()
    for name, value in state.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)


# --- going on ------------------------------------------------------------------------------------


def test_a_longer_run_goes_on_in_the_same_bits(
    gan_job: Callable[..., Any], whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """run(2N) = run(N), then run(2N) in its folder; the reports too, but for the seconds."""
    parts = train_gan.run(gan_job("total_kimg=0.096", "judge=none", "name=parts"))
    assert train_gan.run(gan_job("total_kimg=0.192", "judge=none", "name=parts")) == parts
    assert "going on from the state of 0.1 kimg" in capsys.readouterr().out
    assert_same_state(whole, parts)
    kept = [{k: v for k, v in row.items() if "second" not in k} for row in history(whole)]
    again = [{k: v for k, v in row.items() if "second" not in k} for row in history(parts)]
    assert kept[-1]["kimg"] == again[-1]["kimg"]
    assert kept[-1]["diversity_fear"] == again[-1]["diversity_fear"]


class StopAfter:
    """A StopSignal that says SIGTERM from its n-th question on."""

    def __init__(self, n: int) -> None:
        self.left = n

    def __enter__(self) -> "StopAfter":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def received(self) -> int:
        self.left -= 1
        return signal.SIGTERM if self.left < 0 else 0


def test_a_stopped_run_goes_on_in_the_same_bits(
    gan_job: Callable[..., Any], outputs: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop falls between two ticks, inside the intervals of R1, path length and ADA."""
    with monkeypatch.context() as patch:
        patch.setattr(train_gan, "StopSignal", lambda: StopAfter(6))
        with pytest.raises(Interrupted, match=r"stopped after 0\.1 kimg.*resume=") as caught:
            train_gan.run(gan_job("total_kimg=0.192", "judge=none", "name=parts"))
    assert caught.value.exit_status == 128 + signal.SIGTERM
    (parts,) = (outputs / "train-gan").glob("parts*")
    assert runs.status_of(parts)["status"] == "interrupted"
    train_gan.run(gan_job("total_kimg=0.192", "judge=none", f"resume={parts}"))
    assert_same_state(whole, parts)
    assert [row["kimg"] for row in history(parts)] == [0.064, 0.128, 0.192]


def test_a_complete_run_is_not_done_again(
    gan_job: Callable[..., Any],
    outputs: Path,
    short_run: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train_gan.run(gan_job("total_kimg=0.064", "judge=none"))
    assert "done already" in capsys.readouterr().out
    train_gan.run(gan_job("total_kimg=0.064", "judge=none", "force=true"))
    assert len(list((outputs / "train-gan").iterdir())) == 2


def test_a_run_starts_from_the_networks_of_another(
    gan_job: Callable[..., Any], short_run: Path
) -> None:
    source = short_run / trained.LATEST
    job = gan_job("total_kimg=0.032", "judge=none", f"resume={source}", "gan.lr=0")
    tuned = train_gan.run(job)
    assert tuned != short_run
    before = trained.load(source, device=CPU).network.state_dict()
    after = trained.load(tuned / trained.LATEST, device=CPU).network.state_dict()
    for name, value in before.items():
        if name != "mapping.w_avg":
            torch.testing.assert_close(after[name], value, msg=name)


# --- processes -----------------------------------------------------------------------------------


def words(outputs: Path, *more: str) -> list[str]:
    return ["train-gan", *SMALL, f"outputs={outputs}", "judge=none", *more]


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_state(
    gan_job: Callable[..., Any], outputs: Path
) -> None:
    """SIGKILL after the second state; the ended run equals one that was never killed."""
    train_gan.run(gan_job("total_kimg=0.256", "judge=none", "name=whole"))
    command = [sys.executable, "-m", "ferbench", *words(outputs, "total_kimg=0.256", "name=parts")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    folders = outputs / "train-gan"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        made = list(folders.glob("parts*/metrics.jsonl"))
        if made and len(history(made[0].parent)) >= 2:
            break
        time.sleep(0.01)
    process.kill()
    process.wait()
    train_gan.run(gan_job("total_kimg=0.256", "judge=none", "name=parts"))
    whole, parts = sorted(folders.iterdir(), reverse=True)
    assert_same_state(whole, parts)
    assert [row["kimg"] for row in history(parts)] == [0.064, 0.128, 0.192, 0.256]


def test_the_command_line_goes_on_and_starts_from_networks(
    ferbench: Callable[..., tuple[int, str]], outputs: Path
) -> None:
    """resume=FOLDER takes a new length and nothing else; resume=FILE is a run of its own."""
    assert ferbench(*words(outputs, "total_kimg=0.016"))[0] == 0
    folder = only_run(outputs)
    assert ferbench("train-gan", f"resume={folder}", "total_kimg=0.032")[0] == 0
    assert runs.status_of(folder)["kimg"] == 0.032
    status, text = ferbench("train-gan", f"resume={folder}", "gan.lr=1")
    assert status == 2 and "leave out gan.lr=1" in text
    source = folder / trained.LATEST
    assert ferbench(*words(outputs, "total_kimg=0.016", f"resume={source}"))[0] == 0
    assert len(list((outputs / "train-gan").iterdir())) == 2


@pytest.mark.slow
def test_two_processes_train_like_one_with_two_shards(
    gan_job: Callable[..., Any], outputs: Path
) -> None:
    """torchrun with two gloo processes against one process: the same weights, to rounding."""
    both = ["total_kimg=0.096", "gan.shards=2", "gan.lr=0.0001"]
    train_gan.run(gan_job(*both, "judge=none", "name=whole"))
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        "--standalone",
        "-m",
        "ferbench",
        *words(outputs, *both, "name=parts"),
    ]
    subprocess.run(command, check=True, timeout=300)
    whole, parts = sorted((outputs / "train-gan").iterdir(), reverse=True)
    one, two = (
        checkpoint.load_plain(folder / "state.pt")["trainer"]["modules"]["ema"]
        for folder in (whole, parts)
    )
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4, msg=name)
    assert runs.status_of(parts)["status"] == "complete"


# --- what is refused, and what is said -----------------------------------------------------------


def test_a_collapse_stops_the_run_if_asked(gan_job: Callable[..., Any], outputs: Path) -> None:
    """A share of 100 of the real diversity calls every class collapsed."""
    watch = ["gan.collapse_from_kimg=0", "gan.collapse_diversity=100", "judge=none"]
    with pytest.raises(UserError, match=r"stop_on_collapse=true: angry has collapsed"):
        train_gan.run(gan_job("total_kimg=0.128", *watch, "gan.stop_on_collapse=true"))
    folder = only_run(outputs)
    assert len(history(folder)) == 1
    assert (folder / "state.pt").exists()


def test_a_collapse_is_said_once(
    gan_job: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    watch = ["gan.collapse_from_kimg=0", "gan.collapse_diversity=100", "judge=none"]
    train_gan.run(gan_job("total_kimg=0.192", *watch))
    assert capsys.readouterr().out.count("warning: angry has collapsed") == 1


def test_a_training_that_does_not_fit_into_memory_is_refused_before_it(
    gan_job: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available", lambda device: 1 << 20)
    with pytest.raises(UserError, match=r"^gan\.batch=\d+: the training needs about 0\.\d GiB of"):
        train_gan.run(gan_job("judge=none"))
    assert not (Path(gan_job().outputs) / "train-gan").exists()


def test_numbers_that_are_not_finite_end_the_run(gan_job: Callable[..., Any]) -> None:
    """The largest learning rate that is taken breaks the weights at the first step."""
    with pytest.raises(FloatingPointError, match=r"not finite \d+ times.*no state was saved"):
        train_gan.run(
            gan_job("total_kimg=0.192", "judge=none", "gan.lr=100", "gan.nonfinite_limit=2")
        )


def test_images_that_are_not_finite_end_the_run_with_the_last_good_state(
    gan_job: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They broke the line of the tick before, for its diversity was left out (KeyError)."""

    def broken(trainer: Any, images: int, *rest: Any) -> Any:
        tick = unbroken(trainer, images, *rest)
        return tick if trainer.images < 128 else replace(tick, diversity=(math.nan,) * 7)

    unbroken = loop._tick
    monkeypatch.setattr(loop, "_tick", broken)
    pattern = r"^gan\.lr=0\.\d+: the generator's images after 0\.128 kimg are not finite; expected"
    with pytest.raises(FloatingPointError, match=pattern) as refused:
        train_gan.run(gan_job("total_kimg=0.192", "judge=none", "gan.tick_kimg=0.064"))
    folder = only_run(Path(gan_job().outputs))
    assert str(refused.value).endswith(f"the last good state is {folder / 'state.pt'} (0.1 kimg)")
    assert len(history(folder)) == 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["res=50"], r"res=50: expected 2\^k or 3 \* 2\^k pixels"),
        (["gan.batch=10", "gan.shards=4"], r"gan\.batch=10: expected a multiple"),
        (["gan.augment=adda"], r"gan\.augment=adda: unknown; did you mean ada"),
        (["total_kimg=0"], r"total_kimg=0\.0: expected more than 0"),
        (["gan.label_smoothing=0.5"], r"gan\.label_smoothing=0\.5"),
        (["gan.kind=cgan"], r"gan\.path_interval=4: gan\.kind=cgan has no styles"),
        (["gan.kind=acgan", "gan.path_interval=0"], r"gan\.aux_weight=0\.0: expected more than 0"),
        (["gan.aux_weight=1"], r"gan\.aux_weight=1\.0: .* 0 with the others"),
        (
            ["data=mixed"],
            r"data=mixed: no such option of ferbench train-gan; expected one of real",
        ),
    ],
)
def test_values_that_cannot_be_are_refused(
    gan_job: Callable[..., Any], overrides: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        gan_job(*overrides)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing.pkl", "no such file"),
        ("cut.safetensors", "not a whole safetensors file"),
        ("hostile.pkl", "posix"),
    ],
)
def test_bad_networks_are_refused(
    gan_job: Callable[..., Any], tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "cut.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{")
    (tmp_path / "hostile.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(UserError, match=message):
        train_gan.run(gan_job(f"resume={tmp_path / name}"))


def test_another_judge_rates_the_best_weights_anew(
    gan_job: Callable[..., Any],
    outputs: Path,
    judge: Judge,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its numbers do not compare with those of the one before."""
    train_gan.run(gan_job("total_kimg=0.128"))
    folder = only_run(outputs)
    before = runs.status_of(folder)["best"]
    best = trained.load(folder / "best.safetensors", device=CPU).network
    other = made_judge("other", "o", 1)
    monkeypatch.setattr(inputs, "open_judge", lambda path, compute, key: other)
    train_gan.run(gan_job("total_kimg=0.192"))
    after = runs.status_of(folder)["best"]
    assert (before["judge"]["name"], after["judge"]["name"]) == ("made", "other")
    pixels = face_set.read(outputs / "data" / "fer2013").splits["train"]
    real = score.reference(other, pixels.images, pixels.labels, cache=outputs / "cache.npz")
    want = score.score(best, torch.eye(7), other, real, per_class=4, dtype=torch.float32)
    assert want.distance != pytest.approx(before["distance"], rel=1e-3)
    line = f"of {before['kimg']:.1f} kimg, have distance {want.distance:.2f} under the judge other"
    assert line in capsys.readouterr().out
    assert after["value"] <= want.distance + 1e-4


def test_the_device_that_is_chosen_counts_and_not_how(
    gan_job: Callable[..., Any],
    outputs: Path,
    judge: Judge,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where auto takes the CPU, it is the run that device=cpu made."""
    monkeypatch.setattr("ferbench.runs.compute.resolve_device", lambda wanted: CPU)
    train_gan.run(gan_job("total_kimg=0.064"))
    train_gan.run(gan_job("total_kimg=0.064", "device=auto"))
    assert f"done already: {only_run(outputs)}" in capsys.readouterr().out
    assert runs.status_of(only_run(outputs))["sources"]["device"] == "cpu"


def test_a_run_that_goes_on_keeps_its_judge(
    gan_job: Callable[..., Any], outputs: Path, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though there is a better one by now, and as long as it is the same."""
    weights = outputs / "classify" / "made" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    known = made_judge("made", inputs.sha256_of(weights), 0)
    asked: list[Path] = []

    def load(path: Path, compute: Compute, key: str) -> Judge:
        asked.append(path)
        return known

    monkeypatch.setattr(inputs, "open_judge", load)
    train_gan.run(gan_job("total_kimg=0.128"))
    monkeypatch.setattr(judges, "find", lambda outputs, data_hash: Path("better"))
    train_gan.run(gan_job("total_kimg=0.192"))
    weights.write_bytes(b"other weights")
    train_gan.run(gan_job("total_kimg=0.256"))
    assert asked == [Path("made"), weights.parent, Path("better")]


def test_a_judge_that_is_none_is_refused_before_there_is_a_run(
    gan_job: Callable[..., Any], outputs: Path
) -> None:
    with pytest.raises(UserError, match=r"judge=.*nowhere: expected the folder of a complete run"):
        train_gan.run(gan_job(f"judge={outputs / 'nowhere'}"))
    assert not (outputs / "train-gan").exists()


def test_a_published_pickle_is_trained_further(gan_job: Callable[..., Any], outputs: Path) -> None:
    """The run has the pickle's size and classes, not the preset's."""
    published = Path(__file__).parents[1] / "reference" / "official_layout.pkl"
    train_gan.run(
        gan_job("total_kimg=0.016", "gan.path_interval=0", "judge=none", f"resume={published}")
    )
    found = trained.load(only_run(outputs), device=CPU)
    assert found.network.config.img_resolution == 32
    assert found.classes == CLASSES
    with pytest.raises(UserError, match=r"has classes; expected gan\.conditional=true"):
        train_gan.run(gan_job(f"resume={published}", "gan.conditional=false"))


def test_networks_of_another_size_are_refused(gan_job: Callable[..., Any], short_run: Path) -> None:
    source = short_run / trained.LATEST
    with pytest.raises(UserError, match=r"res=48: .* holds networks of 12 pixels"):
        train_gan.run(gan_job(f"resume={source}", "res=48"))


def test_a_state_of_another_run_is_refused(gan_job: Callable[..., Any], short_run: Path) -> None:
    state = checkpoint.load_plain(short_run / "state.pt")
    del state["trainer"]["modules"]["ema"]
    checkpoint.save_state(short_run / "state.pt", state, format_name=STATE_FORMAT)
    with pytest.raises(UserError, match="not a state of this run"):
        train_gan.run(gan_job("total_kimg=0.096", "judge=none"))


def test_a_state_of_other_settings_is_refused(gan_job: Callable[..., Any], short_run: Path) -> None:
    """It fits the networks, but another loss led to it."""
    state = checkpoint.load_plain(short_run / "state.pt")
    first = ["gan.loss=relativistic", "judge=none", "name=other", "total_kimg=0.032"]
    other = train_gan.run(gan_job(*first))
    (other / "state.pt").unlink()
    checkpoint.save_state(other / "state.pt", state, format_name=STATE_FORMAT)
    words = ["gan.loss=relativistic", "judge=none", "name=other", "total_kimg=0.096"]
    with pytest.raises(UserError, match="is the state of a run with other settings"):
        train_gan.run(gan_job(*words))


def test_a_complete_run_without_its_state_is_left_alone(
    gan_job: Callable[..., Any], short_run: Path
) -> None:
    """It cannot be made longer; its weights are not those of a new beginning."""
    (short_run / "state.pt").unlink()
    before = (short_run / trained.LATEST).read_bytes()
    with pytest.raises(UserError, match=r"state\.pt: is missing, so this run cannot go on"):
        train_gan.run(gan_job("total_kimg=0.096", "judge=none"))
    assert (short_run / trained.LATEST).read_bytes() == before


@pytest.mark.parametrize("form", [None, "ferbench train-gan state 99"])
def test_a_state_of_another_format_is_refused_in_one_line(
    gan_job: Callable[..., Any], short_run: Path, form: str | None
) -> None:
    """None: as states were before they said their format."""
    path = short_run / "state.pt"
    state = checkpoint.load_plain(path)
    assert state["format"] == STATE_FORMAT
    torch.save({**state, "format": form}, path)
    with pytest.raises(UserError, match=r"state\.pt: a state .*; move the file away") as caught:
        train_gan.run(gan_job("total_kimg=0.096", "judge=none"))
    assert "\n" not in str(caught.value)


def test_the_presets_exist() -> None:
    names = {path.stem for path in (CONF / "gan").glob("*.yaml")}
    assert names >= {"fer48", "fer64", "fer32", "cifar", "tiny", "acgan", "cgan"}
