import pytest

from ferbench.cli.jobs import Launcher
from ferbench.commands import demo
from ferbench.config.commands import COMMANDS
from ferbench.errors import UserError


def test_every_step_is_a_command_with_a_sound_config(make_job, outputs):
    steps = demo.steps(make_job("demo", "seed=3"))
    assert [words[0] for words in steps] == [
        "prepare",
        "classify",
        "train-gan",
        "synth",
        "classify",
        "classify",
        "synth",
    ]
    for command, *overrides in steps:
        assert isinstance(make_job(command, *overrides), COMMANDS[command])
    assert len({tuple(words) for words in steps}) == len(steps)


def test_a_failing_step_ends_the_demo(make_job, monkeypatch, capsys):
    monkeypatch.setattr(demo, "steps", lambda job: [["prepare", "source=/nowhere"]])
    with pytest.raises(UserError, match="source=/nowhere: there is no such file") as failed:
        demo.run(make_job("demo"), Launcher(("launcher=local",), full_error=False))
    assert "\n" not in str(failed.value)
    out, err = capsys.readouterr()
    assert out.startswith("\n$ ferbench prepare source=/nowhere")
    assert err == ""
