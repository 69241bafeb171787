"""The line of a tick, as people read it."""

from ferbench.gan.lines import tick_line

ROW = {
    "kimg": 184.0,
    "images_per_second": 74.8,
    "seconds_per_kimg": 13.37,
    "augment_p": 0.0,
    "loss_g": 1.56,
    "loss_d": 1.0,
    "real_logit": 0.5,
    "fake_logit": -0.25,
    "grad_norm_g": 0.1,
    "grad_norm_d": 0.2,
    "diversity_happy": 0.4,
    "diversity_sad": 0.3,
    "skipped_steps": 0,
}


def test_a_tick_in_one_line() -> None:
    """816 kimg are left, 13.37 s each: 10,910 s, which are 3:01:50."""
    line = tick_line(ROW, 1000, ["happy", "sad"])
    assert line == (
        "   184.0 kimg   74.8 img/s  13.37 s/kimg, left 3:01:50, p 0.000, loss G 1.56 D 1.00, "
        "logits +0.50 -0.25, gradients 0.10 0.20, diversity 0.300 (sad)"
    )


def test_what_was_not_counted_is_a_dash_and_the_judge_comes_last() -> None:
    row = {key: value for key, value in ROW.items() if key != "loss_g"}
    line = tick_line(row | {"distance": 3.346, "class_accuracy": 0.4519}, 1000, ["happy"])
    assert "loss G - D 1.00" in line
    assert line.endswith("(happy), distance 3.35, class accuracy 0.452")
    assert ", 3 updates skipped" in tick_line(ROW | {"skipped_steps": 3}, 1000, ["happy"])
