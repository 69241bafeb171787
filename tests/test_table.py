"""The printed table: means by hand, what is never mixed, what a filter says."""

import csv
import io
import statistics

import numpy as np
import pytest

from ferbench.errors import UserError
from ferbench.results import FailedRun, Row
from ferbench.scores import scores
from ferbench.table import (
    Condition,
    filter_rows,
    frame,
    group_seeds,
    parse_where,
    show,
    show_failed,
)
from ferbench.table_layout import escape_latex

NUMBERS = scores(np.arange(70) % 7, np.eye(7, dtype=np.float32)[np.arange(70) % 5])
FORMATS = ["terminal", "markdown", "latex", "csv"]


def make_row(**changes):
    base = {
        "run": f"classify/x_s{changes.get('seed', 0)}",
        "command": "classify",
        "finished": "2026-01-31T12:00:00+00:00",
        "data": "real",
        "train_images": 28709,
        "synthetic_images": 0,
        "test_data": "fer2013",
        "test_split": "private",
        "selected_on": "public",
        "model": "cnn",
        "stem": "small",
        "input_px": 48,
        "pretrained": "none",
        "tune": "all",
        "tta": "flip",
        "parameters": 1_234_567,
        "seed": 0,
        "epochs": 60,
        "precision": "float32",
        "config_hash": "1a2b3c4d",
        "data_hash": "d1",
        "test_hash": "t1",
        "cell": "c1",
        "code_version": "0.1.0",
        "device": "cpu",
        "hardware": "an & old_machine",
        "torch": "2.5.1",
        "seconds": 12.5,
        **NUMBERS,
    }
    return Row(**{**base, **changes})


ACCURACIES = [0.60, 0.62, 0.67]
SEEDS = [make_row(seed=seed, accuracy=a) for seed, a in enumerate(ACCURACIES)]
OTHER = make_row(cell="c2", model="resnet50", data="mixed", accuracy=0.65, ece=0.01)
TOY = make_row(test_data="toy", test_hash="t2", accuracy=0.99)
KAGGLE = make_row(test_split="kaggle", test_hash="t3", accuracy=0.70)


def cells(text):
    """Lines of a Markdown table as lists of cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


# --- grouping ------------------------------------------------------------------------------------


def test_mean_and_deviation_by_hand():
    """0.60, 0.62, 0.67: mean 0.63, deviation sqrt((9 + 1 + 16) / 2) / 100 = 0.0361."""
    table = group_seeds(frame(SEEDS))
    assert len(table) == 1
    assert table.seeds[0] == 3
    assert table.accuracy[0] == pytest.approx(0.63)
    assert table.accuracy_sd[0] == pytest.approx(0.0360555)
    assert "63.0±3.6" in show(SEEDS)
    assert "63.0 ± 3.6" in show(SEEDS, format="markdown")
    assert r"63.0 $\pm$ 3.6" in show(SEEDS, format="latex")


def test_csv_is_in_full_precision():
    (line,) = csv.DictReader(io.StringIO(show(SEEDS, format="csv")))
    assert float(line["accuracy"]) == pytest.approx(statistics.mean(ACCURACIES), abs=1e-15)
    assert float(line["accuracy_sd"]) == pytest.approx(statistics.stdev(ACCURACIES), abs=1e-15)
    assert (line["seeds"], line["n_test"], line["train_images"]) == ("3", "70", "28709")
    (line,) = csv.DictReader(
        io.StringIO(show([make_row(accuracy=1 / 3)], format="csv", group=False))
    )
    assert float(line["accuracy"]) == 1 / 3
    assert line["parameters"] == "1234567"


def test_one_seed_has_no_deviation():
    for form in ("terminal", "markdown", "latex"):
        text = show([OTHER], format=form)
        assert "65.0" in text
        assert "±" not in text
        assert r"\pm" not in text
        assert "deviation" not in text


def test_a_seed_that_was_run_again_counts_once_the_latest():
    """The later one counts, whatever the order of the lines and the spelling of the time."""
    again = make_row(seed=2, accuracy=0.80, finished="2026-01-31T12:00:01Z")
    for rows in ([*SEEDS, again], [again, *SEEDS]):
        table = group_seeds(frame(rows))
        assert table.seeds.tolist() == [3]
        assert table.accuracy[0] == pytest.approx((0.60 + 0.62 + 0.80) / 3)


def test_other_config_or_other_training_data_is_another_group():
    assert len(group_seeds(frame([*SEEDS, OTHER]))) == 2
    assert len(group_seeds(frame([*SEEDS, make_row(seed=9, data_hash="d2")]))) == 2
    assert len(group_seeds(frame([*SEEDS, make_row(seed=0, tta="none")]))) == 2


def test_a_mean_over_missing_scores_is_missing():
    rows = [make_row(seed=0, auroc=0.5), make_row(seed=1, auroc=None)]
    table = group_seeds(frame(rows))
    assert table.auroc.isna().all()
    assert table.auroc_sd.isna().all()


def test_text_that_differs_between_seeds_is_various():
    rows = [make_row(seed=0, hardware="a"), make_row(seed=1, hardware="b")]
    table = group_seeds(frame(rows))
    assert table.hardware.tolist() == ["various"]
    assert table.model.tolist() == ["cnn"]


@pytest.mark.parametrize("group", [True, False])
def test_toy_and_other_splits_never_share_a_table(group):
    """Same cell, three test sets: three groups, three headings, and a best one in none of them."""
    rows = [SEEDS[0], TOY, KAGGLE]
    assert sorted(group_seeds(frame(rows)).accuracy) == pytest.approx([0.60, 0.70, 0.99])
    text = show(rows, format="markdown", group=group)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "### fer2013, kaggle split, 70 images",
        "### fer2013, private split, 70 images",
        "### toy, private split, 70 images",
    ]
    assert "**" not in text
    table = [row for row in csv.DictReader(io.StringIO(show(rows, format="csv", group=group)))]
    assert [(row["test_data"], row["test_split"]) for row in table] == [
        ("fer2013", "kaggle"), ("fer2013", "private"), ("toy", "private"),
    ]  # fmt: skip


def test_two_test_sets_of_one_name_are_told_apart_by_their_hash():
    text = show([SEEDS[0], make_row(test_hash="another_hash")])
    assert "fer2013 (another_), private" in text
    assert "fer2013 (t1), private" in text


def test_lines_that_look_the_same_get_the_column_that_differs():
    """Only `tune` differs: it is shown; if nothing but the config does, its hash is."""
    rows = [make_row(tune="head", cell="c1"), make_row(tune="all", cell="c2")]
    header = cells(show(rows, format="markdown"))[0]
    assert header[:5] == ["model", "data", "train images", "tune", "seeds"]
    rows = [make_row(cell="0123456789"), make_row(cell="abcdefghij")]
    text = show(rows, format="markdown")
    assert cells(text)[0][3] == "cell"
    assert "| 01234567 |" in text
    assert cells(show([SEEDS[0], OTHER], format="markdown"))[0][3] == "seeds"


# --- filter --------------------------------------------------------------------------------------


def test_where_is_parsed():
    assert parse_where("model=cnn,resnet50 accuracy>0.6 seed!=1 data=='a b'") == [
        Condition("model", "=", ("cnn", "resnet50")),
        Condition("accuracy", ">", (0.6,)),
        Condition("seed", "!=", (1.0,)),
        Condition("data", "=", ("a b",)),
    ]
    assert parse_where("  ") == []


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", [0.60, 0.62, 0.67, 0.65]),
        ("model=cnn", [0.60, 0.62, 0.67]),
        ("model=cnn,resnet50 data=mixed", [0.65]),
        ("model!=cnn", [0.65]),
        ("model!=cnn,resnet50", []),
        ("accuracy>0.62", [0.67, 0.65]),
        ("accuracy>=0.62", [0.62, 0.67, 0.65]),
        ("accuracy<0.62", [0.60]),
        ("accuracy<=0.62", [0.60, 0.62]),
        ("seed=1,2", [0.62, 0.67]),
        ("seed=01", [0.62]),
        ("seed!=0", [0.62, 0.67]),
        ("accuracy>0.6 accuracy<0.66 model=cnn", [0.62]),
        ("best_epoch=", [0.60, 0.62, 0.67, 0.65]),
        ("best_epoch!=", []),
        ("best_epoch>0", []),
        ("stem=", []),
        ("finished>2026-01-31", [0.60, 0.62, 0.67, 0.65]),
        ("finished<2026-01-31", []),
        ("hardware='an & old_machine' seed=2", [0.67]),
    ],
)
def test_where_keeps(where, expected):
    assert filter_rows(frame([*SEEDS, OTHER]), where).accuracy.tolist() == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("acuracy>0.6", "where=acuracy: no such column; did you mean accuracy"),
        ("qqq=1", "where=qqq: no such column; docs/metrics.md lists them"),
        ("accuracy>high", "where=accuracy>high: accuracy is a number; high is not"),
        ("seed=0,x", "seed is a number; 0,x is not"),
        ("accuracy>", "where=accuracy>: lacks a value"),
        ("model", "where=model: not a condition"),
        ("model = cnn", "where=model: not a condition"),
        ("model='cnn", "No closing quotation"),
    ],
)
def test_where_says_what_is_wrong(where, message):
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        show([OTHER], where=where)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "html"}, "format=html: unknown; expected terminal, markdown, latex or csv"),
        ({"columns": ["macro_f"]}, "columns=macro_f: no such column; did you mean macro_f1"),
        ({"sort": "acc"}, "sort=acc: no such column"),
        ({"sort": "seeds", "group": False}, "sort=seeds: only with group=true"),
    ],
)
def test_other_options_say_what_is_wrong(options, message):
    with pytest.raises(UserError, match=message):
        show([OTHER], **options)


# --- sort and print ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sort", "models"),
    [
        ("accuracy", "bca"),
        ("-accuracy", "acb"),
        ("ece", "acb"),
        ("-ece", "bca"),
        ("model", "abc"),
        ("-model", "cba"),
        ("train_images", "cba"),
        ("auroc", "bac"),
    ],
)
@pytest.mark.parametrize("group", [True, False])
def test_sorting(sort, models, group):
    """Scores from the best (ece: the smallest), the rest upwards, empty cells last."""
    rows = [
        make_row(cell="1", model="a", accuracy=0.1, ece=0.1, train_images=3, auroc=0.6, run="r/a"),
        make_row(cell="2", model="b", accuracy=0.3, ece=0.3, train_images=2, auroc=0.7, run="r/b"),
        make_row(cell="3", model="c", accuracy=0.2, ece=0.2, train_images=1, auroc=None, run="r/c"),
    ]
    lines = cells(show(rows, sort=sort, group=group, format="markdown"))[2:]
    assert "".join(line[0][-1] for line in lines) == models


def test_the_best_of_each_column_is_bold():
    """The highest accuracy, the smallest ece, all that print alike; nothing but scores."""
    rows = [
        make_row(accuracy=0.60004, ece=0.2),
        make_row(cell="c2", accuracy=0.6, ece=0.1, model="b"),
    ]
    text = show(rows, format="markdown", columns=["accuracy", "ece", "seconds"])
    assert cells(text)[2][4:] == ["**60.0**", "20.0", "12.5"]
    assert cells(text)[3][4:] == ["**60.0**", "**10.0**", "12.5"]
    assert r"\textbf{10.0}" in show(rows, format="latex")
    for form in ("markdown", "latex"):
        assert "bf{" not in show(rows, format=form, bold=False)
        assert "**" not in show(rows, format=form, bold=False)


def test_terminal_fits_its_width_and_names_what_it_leaves_out():
    rows = [make_row(cell=str(i), model=f"mobilenet_v3_large_{i}", seed=i) for i in range(3)]
    many = ["accuracy", "accuracy_dedup", "balanced_accuracy", "macro_f1", "auroc", "ece", "nll",
            "macro_precision", "macro_recall", "recall_disgust", "recall_surprise"]  # fmt: skip
    for width in (60, 80, 100):
        lines = show(rows, columns=many, width=width).splitlines()
        assert max(len(line) for line in lines[1:-1]) <= width
        left = lines[-1].removeprefix("not shown for want of width: ").split(", ")
        assert left == many[-len(left) :]
    assert "not shown" not in show(rows, columns=many, width=300)
    assert len(show(rows, width=1).splitlines()[3].split()) == 5


def test_terminal_means_stand_below_each_other():
    """With and without a deviation, the decimal points of a column are in one place."""
    lines = show([*SEEDS, OTHER], columns=["accuracy"]).splitlines()
    cnn, resnet = (next(line for line in lines if name in line) for name in ("cnn", "resnet50"))
    assert cnn.index("63.0") == resnet.index("65.0")


def test_latex_is_escaped():
    """Every character that LaTeX would take as a command is printed as it is."""
    assert escape_latex(r"a_b & 5% #1 $x$ {y} ~^\ <>") == (
        r"a\_b \& 5\% \#1 \$x\$ \{y\} \textasciitilde{}\textasciicircum{}\textbackslash{} "
        r"\textless{}\textgreater{}"
    )
    text = show([make_row(model="a_b")], format="latex", columns=["accuracy", "hardware"])
    line = next(line for line in text.splitlines() if line.endswith(r"\\") and "28709" in line)
    assert line.strip() == r"a\_b & real & 28709 & 1 & 14.3 & an \& old\_machine \\".replace(
        "14.3", f"{100 * NUMBERS['accuracy']:.1f}"
    )
    assert r"\begin{tabular}{llrrrl}" in text
    assert text.count("{") == text.count("}")


def test_markdown_is_escaped():
    text = show([make_row(model="a|b_c*")], format="markdown")
    assert r"| a\|b\_c\* | real |" in text


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("group", [True, False])
def test_nothing_to_show_is_said(form, group):
    if form == "csv":
        assert show([], format=form, group=group).count("\n") == 1
        assert show([OTHER], format=form, group=group, where="model=x").count("\n") == 1
    else:
        assert show([], format=form, group=group).startswith("No rows yet")
        found = show([OTHER], format=form, group=group, where="model=x")
        assert found == "None of the 1 rows matches where=model=x\n"


def test_failed_runs_are_shown_with_their_reason():
    assert show_failed([]) == "No failed runs.\n"
    runs = [
        FailedRun(
            "classify/a", "classify", "failed", "loss is nan", "2026-01-31T12:00:00.123+00:00"
        ),
        FailedRun("classify/b", "classify", "interrupted", "", ""),
        FailedRun("classify/c", "classify", "killed", "", "2026-01-31T13:00:00+00:00"),
    ]
    assert show_failed(runs).splitlines() == [
        "3 runs without a result",
        "failed       2026-01-31T12:00:00  classify/a",
        "    loss is nan",
        "interrupted  no date              classify/b",
        "    no error was recorded",
        "killed       2026-01-31T13:00:00  classify/c",
        "    its process is gone",
    ]
    assert show_failed(runs[:1]).startswith("1 run without")


@pytest.mark.parametrize("form", FORMATS)
def test_chosen_columns(form):
    """Text, counts and scores may be chosen; what names a line is not shown twice."""
    text = show(SEEDS, format=form, columns=["model", "parameters", "nll"])
    assert "1234567" in text
    assert "cnn" in text
    assert text.count("model") == 1
