"""Loggers: what reaches TensorBoard, and how the services' packages are called."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, call

import pytest

from ferbench.config.sections import LOGGERS
from ferbench.errors import UserError
from ferbench.runs.loggers import Logger, open_logger

CONFIG = {"seed": 0, "train": {"epochs": 3, "augment": {"flip": 0.5}}}


def opened(name: str, folder: Path, first_step: int = 1, address: str | None = None) -> Logger:
    return open_logger(
        name, folder, config=CONFIG, project="faces", address=address, first_step=first_step
    )


def service(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that records its calls, in place of the package; its adapter is imported anew."""
    module = MagicMock(
        spec_set=[
            "Error",
            "Settings",
            "init",
            "MlflowException",
            "log_metrics",
            "end_run",
            "set_tracking_uri",
            "set_experiment",
            "start_run",
            "log_params",
        ]
    )
    module.Error = module.MlflowException = type("ServiceError", (Exception,), {})
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, f"ferbench.runs.loggers.{name}_logger", raising=False)
    return module


@pytest.fixture(autouse=True)
def _forget_adapters(monkeypatch: pytest.MonkeyPatch) -> Any:
    yield
    for name in ("wandb", "mlflow"):
        sys.modules.pop(f"ferbench.runs.loggers.{name}_logger", None)


# --- TensorBoard ---------------------------------------------------------------------------------


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    tags = events.Tags()["scalars"]
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}


def test_tensorboard_files_read_back(tmp_path: Path) -> None:
    logger = opened("tensorboard", tmp_path)
    logger.log(1, {"train_loss": 2.0, "public_accuracy": 0.25})
    logger.log(2, {"train_loss": 1.5, "public_accuracy": 0.5})
    logger.close()
    assert scalars(tmp_path) == {
        "train_loss": [(1, 2.0), (2, 1.5)],
        "public_accuracy": [(1, 0.25), (2, 0.5)],
    }


def test_tensorboard_forgets_what_a_resumed_run_does_again(tmp_path: Path) -> None:
    """Steps 1 to 3, stopped with the state of step 1: 2 comes anew, the old 2 and 3 are void."""
    first = opened("tensorboard", tmp_path)
    for step in (1, 2, 3):
        first.log(step, {"loss": float(step)})
    first.close()
    second = opened("tensorboard", tmp_path, first_step=2)
    second.log(2, {"loss": 20.0})
    second.close()
    assert scalars(tmp_path) == {"loss": [(1, 1.0), (2, 20.0)]}


# --- wandb ---------------------------------------------------------------------------------------


def test_wandb_gets_the_config_and_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = service("wandb", monkeypatch)
    wandb.init.return_value.id = "abc"
    logger = opened("wandb", tmp_path)
    logger.log(1, {"loss": 2.0})
    logger.log(2, {"loss": 1.0})
    logger.close()
    wandb.init.assert_called_once_with(
        project="faces",
        id=None,
        resume=None,
        name=tmp_path.name,
        dir=str(tmp_path),
        config=CONFIG,
        settings=None,
    )
    run = wandb.init.return_value
    assert run.log.mock_calls == [call({"loss": 2.0}, step=1), call({"loss": 1.0}, step=2)]
    run.finish.assert_called_once_with()


def test_wandb_goes_on_with_a_stopped_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = service("wandb", monkeypatch)
    wandb.init.return_value.id = "abc"
    opened("wandb", tmp_path)
    opened("wandb", tmp_path, first_step=3)
    assert wandb.init.call_args.kwargs["id"] == "abc"
    assert wandb.init.call_args.kwargs["resume"] == "allow"
    opened("wandb", tmp_path, first_step=1)  # run again from the start
    assert wandb.init.call_args.kwargs["id"] is None


def test_wandb_takes_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = service("wandb", monkeypatch)
    wandb.init.return_value.id = "abc"
    opened("wandb", tmp_path, address="https://wandb.example")
    wandb.Settings.assert_called_once_with(base_url="https://wandb.example")
    assert wandb.init.call_args.kwargs["settings"] is wandb.Settings.return_value


def test_wandb_without_a_key_is_a_user_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = service("wandb", monkeypatch)
    wandb.init.side_effect = wandb.Error("no API key\nconfigured.")
    with pytest.raises(
        UserError, match=r"^logger=wandb: no API key configured; expected `wandb log"
    ):
        opened("wandb", tmp_path)


# --- MLflow --------------------------------------------------------------------------------------


def test_mlflow_gets_flat_parameters_and_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = service("mlflow", monkeypatch)
    mlflow.start_run.return_value = SimpleNamespace(info=SimpleNamespace(run_id="abc"))
    logger = opened("mlflow", tmp_path, address="http://127.0.0.1:5000")
    logger.log(1, {"loss": 2.0})
    logger.close()
    assert mlflow.mock_calls == [
        call.set_tracking_uri("http://127.0.0.1:5000"),
        call.set_experiment("faces"),
        call.start_run(run_id=None, run_name=tmp_path.name),
        call.log_params({"seed": 0, "train.epochs": 3, "train.augment.flip": 0.5}),
        call.log_metrics({"loss": 2.0}, step=1),
        call.end_run(),
    ]


def test_mlflow_goes_on_with_a_stopped_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters stay as they are: MLflow refuses other values, and `resume` has one."""
    mlflow = service("mlflow", monkeypatch)
    mlflow.start_run.return_value = SimpleNamespace(info=SimpleNamespace(run_id="abc"))
    opened("mlflow", tmp_path)
    opened("mlflow", tmp_path, first_step=3)
    assert mlflow.start_run.call_args == call(run_id="abc", run_name=tmp_path.name)
    assert mlflow.log_params.call_count == 1


def test_mlflow_without_a_server_is_a_user_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = service("mlflow", monkeypatch)
    mlflow.set_experiment.side_effect = mlflow.MlflowException("refused.")
    with pytest.raises(UserError, match=r"^logger=mlflow: refused; expected a server at"):
        opened("mlflow", tmp_path)


# --- which one -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["wandb", "mlflow", "tensorboard"])
def test_a_package_that_is_not_installed_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    for module in [m for m in sys.modules if m.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, f"ferbench.runs.loggers.{name}_logger", raising=False)
    with pytest.raises(UserError) as error:
        opened(name, tmp_path)
    text = str(error.value)
    assert text.startswith(f"logger={name}: the package {name} is not installed; expected pip ")
    assert "\n" not in text


def test_no_logger_writes_nothing(tmp_path: Path) -> None:
    logger = opened("none", tmp_path)
    logger.log(1, {"loss": 1.0})
    logger.close()
    assert list(tmp_path.iterdir()) == []


def test_every_logger_of_the_schema_has_its_file() -> None:
    folder = Path(sys.modules["ferbench.runs.loggers"].__file__ or "").parent
    found = {path.stem.removesuffix("_logger") for path in folder.glob("*_logger.py")}
    assert found | {"none"} == set(LOGGERS)
