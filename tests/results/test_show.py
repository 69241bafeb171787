"""The printed table: means by hand, what is never mixed, what a filter says."""

import csv
import io
import statistics

import pytest

from ferbench.errors import UserError
from ferbench.report.grid import escape_latex, three_digits
from ferbench.results import KINDS, FailedRun, frames, settings
from ferbench.results import show as shown
from ferbench.results.show import Choice, show_failed
from ferbench.results.where import Condition, filter_rows, parse_where

FORMATS = ["terminal", "markdown", "latex", "csv"]
CLASSIFY = KINDS["classify"]


def show(rows, kind="classify", keys=None, **options):
    """One kind's table as text."""
    return shown.show({kind: rows}, Choice(**options), *[keys] * (keys is not None))


def show_all(*tables, **options):
    """The tables of several kinds as text, each a list of rows."""
    rows = {kind.name: t for t in tables for kind in KINDS.values() if type(t[0]) is kind.record}
    return shown.show(rows, Choice(**options))


def frame(rows):
    return frames.printable(rows, CLASSIFY)


def group_seeds(table):
    return frames.group_seeds(table, CLASSIFY)


ACCURACIES = [0.60, 0.62, 0.67]


@pytest.fixture
def seeds(make_row):
    """Three seeds of one experiment."""
    return [make_row(seed=seed, accuracy=a) for seed, a in enumerate(ACCURACIES)]


@pytest.fixture
def other(make_row):
    return make_row(cell="c2", model="resnet50", data="mixed", accuracy=0.65, ece=0.01)


@pytest.fixture
def toy(make_row):
    return make_row(test_data="toy", test_hash="t2", accuracy=0.99)


@pytest.fixture
def kaggle(make_row):
    return make_row(test_split="kaggle", test_hash="t3", accuracy=0.70)


def cells(text):
    """Lines of a Markdown table as lists of cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


# --- grouping ------------------------------------------------------------------------------------


def test_mean_and_deviation_by_hand(seeds):
    """0.60, 0.62, 0.67: mean 0.63, deviation sqrt((9 + 1 + 16) / 2) / 100 = 0.0361."""
    table = group_seeds(frame(seeds))
    assert len(table) == 1
    assert table.seeds[0] == 3
    assert table.accuracy[0] == pytest.approx(0.63)
    assert table.accuracy_sd[0] == pytest.approx(0.0360555)
    assert "63.0±3.6" in show(seeds)
    assert "63.0 ± 3.6" in show(seeds, format="markdown")
    assert r"63.0 $\pm$ 3.6" in show(seeds, format="latex")


def test_csv_is_in_full_precision(make_row, seeds):
    (line,) = csv.DictReader(io.StringIO(show(seeds, format="csv")))
    assert float(line["accuracy"]) == pytest.approx(statistics.mean(ACCURACIES), abs=1e-15)
    assert float(line["accuracy_sd"]) == pytest.approx(statistics.stdev(ACCURACIES), abs=1e-15)
    assert (line["seeds"], line["n_test"], line["train_images"]) == ("3", "70", "28709")
    (line,) = csv.DictReader(
        io.StringIO(show([make_row(accuracy=1 / 3)], format="csv", group=False))
    )
    assert float(line["accuracy"]) == 1 / 3
    assert line["parameters"] == "1234567"


def test_lines_with_warnings_are_counted_below_the_heading(make_row, seeds, other):
    assert "warnings" not in show([*seeds, other])
    text = show([*seeds, make_row(cell="c2", model="vgg", warnings="judge x: accuracy 5 %")])
    assert "1 line with warnings (columns=warnings)" in text
    shown = show([make_row(warnings="judge x: accuracy 5 %")], columns=("accuracy", "warnings"))
    assert "judge x: accuracy 5 %" in shown


def test_one_seed_has_no_deviation(other):
    for form in ("terminal", "markdown", "latex"):
        text = show([other], format=form)
        assert "65.0" in text
        assert "±" not in text
        assert r"\pm" not in text
        assert "deviation" not in text


def test_a_seed_that_was_run_again_counts_once_the_latest(make_row, seeds):
    """The later one counts, whatever the order of the lines and the spelling of the time."""
    again = make_row(seed=2, accuracy=0.80, finished="2026-01-31T12:00:01Z")
    for rows in ([*seeds, again], [again, *seeds]):
        table = group_seeds(frame(rows))
        assert table.seeds.tolist() == [3]
        assert table.accuracy[0] == pytest.approx((0.60 + 0.62 + 0.80) / 3)


def test_other_config_or_other_training_data_is_another_group(make_row, seeds, other):
    assert len(group_seeds(frame([*seeds, other]))) == 2
    assert len(group_seeds(frame([*seeds, make_row(seed=9, data_hash="d2")]))) == 2
    assert len(group_seeds(frame([*seeds, make_row(seed=0, tta="none")]))) == 2


def test_a_mean_over_missing_scores_is_missing(make_row):
    rows = [make_row(seed=0, auroc=0.5), make_row(seed=1, auroc=None)]
    table = group_seeds(frame(rows))
    assert table.auroc.isna().all()
    assert table.auroc_sd.isna().all()


def test_text_that_differs_between_seeds_is_various(make_row):
    rows = [make_row(seed=0, hardware="a"), make_row(seed=1, hardware="b")]
    table = group_seeds(frame(rows))
    assert table.hardware.tolist() == ["various"]
    assert table.model.tolist() == ["cnn"]


@pytest.mark.parametrize("group", [True, False])
def test_toy_and_other_splits_never_share_a_table(group, seeds, toy, kaggle):
    """Same cell, three test sets: three groups, three headings, and a best one in none of them."""
    rows = [seeds[0], toy, kaggle]
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
        ("fer2013", "kaggle"),
        ("fer2013", "private"),
        ("toy", "private"),
    ]


def test_two_test_sets_of_one_name_are_told_apart_by_their_hash(make_row, seeds):
    text = show([seeds[0], make_row(test_hash="another_hash")])
    assert "fer2013 (another_), private" in text
    assert "fer2013 (t1), private" in text


def test_lines_that_look_the_same_get_the_column_that_differs(make_row, seeds, other):
    """Only `tune` differs: it is shown; if nothing but the config does, its hash is."""
    rows = [make_row(tune="head", cell="c1"), make_row(tune="all", cell="c2")]
    header = cells(show(rows, format="markdown"))[0]
    assert header[:6] == ["model", "recipe", "data", "train images", "tune", "seeds"]
    rows = [make_row(cell="0123456789"), make_row(cell="abcdefghij")]
    text = show(rows, format="markdown")
    assert cells(text)[0][4] == "cell"
    assert "| 01234567 |" in text
    assert cells(show([seeds[0], other], format="markdown"))[0][4] == "seeds"


# --- filter --------------------------------------------------------------------------------------


def test_the_key_that_differs_is_printed_and_no_hash(make_row):
    """Of lines that look the same, whichever columns tell other lines apart."""
    rows = [
        make_row(cell=f"c{i}", run=f"classify/{i}", model=model)
        for i, model in enumerate(("cnn", "cnn", "vgg"))
    ]
    kept = {
        f"classify/{i}": {
            "settings": {"model.width": width, "train.epochs": 2},
            "sources": {"data.folder": f"somewhere/{i}"},
        }
        for i, width in enumerate((8, 16, 4))
    }
    lines = cells(show(rows, keys=kept.get, format="markdown"))
    assert lines[0][:6] == ["model", "recipe", "data", "train images", "settings", "seeds"]
    assert [line[4] for line in lines[2:]] == ["model.width=8", "model.width=16", "-"]


def test_what_was_read_is_named_where_no_setting_differs(make_row):
    rows = [make_row(data_hash=f"d{i}", run=f"classify/{i}") for i in range(2)]
    kept = {
        f"classify/{i}": {"settings": {}, "sources": {"data.synthetic": f"outputs/synth/{name}"}}
        for i, name in enumerate(("plain", "curated"))
    }
    lines = cells(show(rows, keys=kept.get, format="markdown"))
    found = [line[4] for line in lines[2:]]
    assert found == ["data.synthetic=plain", "data.synthetic=curated"]
    assert not {"cell", "data hash"} & set(lines[0])


def test_seeds_of_one_experiment_are_known_by_their_latest_run(make_row):
    rows = [
        make_row(
            cell=cell, seed=seed, run=f"classify/{cell}{seed}", finished=f"2026-02-0{day}T00:00Z"
        )
        for cell, seed, day in (("c1", 0, 1), ("c1", 1, 3), ("c2", 1, 2), ("c2", 0, 4))
    ]
    asked = []

    def keys(run):
        asked.append(run)
        return {"settings": {"model.width": 8 if "c1" in run else 16}}

    assert "model.width=16" in show(rows, keys=keys)
    assert sorted(asked) == ["classify/c11", "classify/c20"]


@pytest.mark.parametrize(
    ("runs", "want"),
    [
        ([{"a": 1}, {"a": 1}], ["", ""]),
        ([{"a": 1}, {}], ["a=1", "a=null"]),
        ([{"a": True, "b": "x"}, {"a": False, "b": "x"}], ["a=true", "a=false"]),
        ([{"a": [1]}, {"a": [2]}, {"a": [2]}], ["a=[1]", "a=[2]", "a=[2]"]),
        (
            [dict.fromkeys("abcdefg", 1), dict.fromkeys("abcdefg", 2)],
            ["a=1, b=1, c=1, d=1, e=1, ...", "a=2, b=2, c=2, d=2, e=2, ..."],
        ),
        ([{"a": "x\ny"}, {"a": "z"}], ["a=x?y", "a=z"]),
    ],
)
def test_differences_by_hand(runs, want):
    assert settings.differences([{"settings": run} for run in runs]) == want


def test_hashes_in_names_are_left_out_where_the_names_differ_without_them():
    one, other = "out/synth/a_s0_12345678_n7_abcdef01", "out/synth/b_s0_12345678_n7_abcdef01-2"
    runs = [{"sources": {"set": path}} for path in (one, other)]
    assert settings.differences(runs) == ["set=a_s0_n7", "set=b_s0_n7-2"]
    alike = [{"sources": {"set": f"x_{end}"}} for end in ("12345678", "87654321")]
    assert settings.differences(alike) == ["set=x_12345678", "set=x_87654321"]


def test_a_run_without_its_file_has_no_keys(tmp_path):
    nothing = {"settings": {}, "sources": {}}
    assert settings.read(tmp_path, "classify/x") == nothing
    (tmp_path / "run.json").write_text('{"settings": 3, "sources": {}}')
    assert settings.read(tmp_path, ".") == nothing


def test_where_is_parsed():
    assert parse_where("model=cnn,resnet50 accuracy>0.6 seed!=1 data=='a b'", CLASSIFY) == [
        Condition("model", "=", ("cnn", "resnet50")),
        Condition("accuracy", ">", (0.6,)),
        Condition("seed", "!=", (1.0,)),
        Condition("data", "=", ("a b",)),
    ]
    assert parse_where("  ", CLASSIFY) == []
    assert parse_where("fid>3 model=cnn", CLASSIFY) is None


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
def test_where_keeps(where, expected, seeds, other):
    assert filter_rows(frame([*seeds, other]), where, CLASSIFY).accuracy.tolist() == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("acuracy>0.6", "where=acuracy: no such column; did you mean accuracy"),
        ("qqq=1", "where=qqq: no such column; docs/metrics.md lists them"),
        ("fid>3", "where=fid: no such column; it is one of kind=fidelity"),
        ("set_images>3", "it is one of kind=fidelity and kind=audit and kind=audit-data and"),
        ("accuracy>high", "where=accuracy>high: accuracy is a number; high is not"),
        ("seed=0,x", "seed is a number; 0,x is not"),
        ("accuracy>", "where=accuracy>: lacks a value"),
        ("model", "where=model: not a condition"),
        ("model = cnn", "where=model: not a condition"),
        ("model='cnn", "No closing quotation"),
    ],
)
def test_where_says_what_is_wrong(where, message, other):
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        show([other], where=where)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "html"}, "format=html: unknown; expected terminal, markdown, latex or csv"),
        ({"columns": ("macro_f",)}, "columns=macro_f: no such column; did you mean macro_f1"),
        ({"sort": "acc"}, "sort=acc: no such column"),
        ({"sort": "seeds", "group": False}, "sort=seeds: only with group=true"),
    ],
)
def test_other_options_say_what_is_wrong(options, message, other):
    with pytest.raises(UserError, match=message):
        show([other], **options)


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
def test_sorting(sort, models, group, make_row):
    """Scores from the best (ece: the smallest), the rest upwards, empty cells last."""
    rows = [
        make_row(cell="1", model="a", accuracy=0.1, ece=0.1, train_images=3, auroc=0.6, run="r/a"),
        make_row(cell="2", model="b", accuracy=0.3, ece=0.3, train_images=2, auroc=0.7, run="r/b"),
        make_row(cell="3", model="c", accuracy=0.2, ece=0.2, train_images=1, auroc=None, run="r/c"),
    ]
    lines = cells(show(rows, sort=sort, group=group, format="markdown"))[2:]
    assert "".join(line[0][-1] for line in lines) == models


def test_the_best_of_each_column_is_bold(make_row):
    """The highest accuracy, the smallest ece, all that print alike; nothing but scores."""
    rows = [
        make_row(accuracy=0.60004, ece=0.2),
        make_row(cell="c2", accuracy=0.6, ece=0.1, model="b"),
    ]
    text = show(rows, format="markdown", columns=("accuracy", "ece", "seconds"))
    assert cells(text)[2][5:] == ["**60.0**", "20.0", "12.5"]
    assert cells(text)[3][5:] == ["**60.0**", "**10.0**", "12.5"]
    assert r"\textbf{10.0}" in show(rows, format="latex")
    for form in ("markdown", "latex"):
        assert "bf{" not in show(rows, format=form, bold=False)
        assert "**" not in show(rows, format=form, bold=False)


def test_terminal_fits_its_width_and_names_what_it_leaves_out(make_row):
    rows = [make_row(cell=str(i), model=f"mobilenet_v3_large_{i}", seed=i) for i in range(3)]
    many = (
        "accuracy",
        "accuracy_dedup",
        "balanced_accuracy",
        "macro_f1",
        "auroc",
        "ece",
        "nll",
        "macro_precision",
        "macro_recall",
        "recall_disgust",
        "recall_surprise",
    )
    for width in (60, 80, 100):
        lines = show(rows, columns=many, width=width).splitlines()
        assert max(len(line) for line in lines[1:-1]) <= width
        left = lines[-1].removeprefix("not shown for want of width: ").split(", ")
        assert tuple(left) == many[-len(left) :]
    assert "not shown" not in show(rows, columns=many, width=300)
    assert len(show(rows, width=1).splitlines()[3].split()) == 6


def test_terminal_means_stand_below_each_other(seeds, other):
    """With and without a deviation, the decimal points of a column are in one place."""
    lines = show([*seeds, other], columns=("accuracy",)).splitlines()
    cnn, resnet = (next(line for line in lines if name in line) for name in ("cnn", "resnet50"))
    assert cnn.index("63.0") == resnet.index("65.0")


def test_latex_is_escaped(make_row):
    """Every character that LaTeX would take as a command is printed as it is."""
    assert escape_latex(r"a_b & 5% #1 $x$ {y} ~^\ <>") == (
        r"a\_b \& 5\% \#1 \$x\$ \{y\} \textasciitilde{}\textasciicircum{}\textbackslash{} "
        r"\textless{}\textgreater{}"
    )
    text = show([make_row(model="a_b")], format="latex", columns=("accuracy", "hardware"))
    line = next(line for line in text.splitlines() if line.endswith(r"\\") and "28709" in line)
    assert (
        line.strip()
        == r"a\_b & default & real & 28709 & 1 & 14.3 & an \& old\_machine \\".replace(
            "14.3", f"{100 * make_row().accuracy:.1f}"
        )
    )
    assert r"\begin{tabular}{lllrrrl}" in text
    assert text.count("{") == text.count("}")


def test_markdown_is_escaped(make_row):
    text = show([make_row(model="a|b_c*")], format="markdown")
    assert r"| a\|b\_c\* | default | real |" in text


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("group", [True, False])
def test_nothing_to_show_is_said(form, group, other):
    if form == "csv":
        assert show([], format=form, group=group).count("\n") == 1
        assert show([other], format=form, group=group, where="model=x").count("\n") == 1
    else:
        assert show([], format=form, group=group).startswith("No rows yet")
        found = show([other], format=form, group=group, where="model=x")
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
def test_chosen_columns(form, seeds):
    """Text, counts and scores may be chosen; what names a line is not shown twice."""
    text = show(seeds, format=form, columns=("model", "parameters", "nll"))
    assert "1234567" in text
    assert "cnn" in text
    assert text.count("model") == 1


# --- kinds of rows -------------------------------------------------------------------------------


@pytest.fixture
def sets(make_fidelity_row):
    """Two sets under one judge, one of them with two seeds, and one under another judge."""
    return [
        make_fidelity_row(fid=2.0, kid=0.5, gate_accuracy=0.5, set_name="a", cell="1"),
        make_fidelity_row(fid=4.0, kid=0.5, gate_accuracy=0.7, set_name="a", cell="1", seed=1),
        make_fidelity_row(fid=1.5, kid=0.6, gate_accuracy=0.4, set_name="b", cell="2"),
        make_fidelity_row(fid=9.0, features_name="other", features_hash="h2"),
    ]


def test_each_kind_has_tables_of_its_own(seeds, sets):
    """Sets under two judges apart; the lowest FID first."""
    text = show_all(seeds, sets, format="markdown", columns=("fid", "accuracy"))
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "### fer2013, private split, 70 images",
        "### fidelity, features of other (h2), against x",
        "### fidelity, features of x (x), against x",
    ]
    judged = cells(text.split("###")[-1])
    assert [line[0] for line in judged[2:]] == ["b", "a"]
    assert judged[3][-1] == "3.00 ± 1.41"
    assert judged[2][-1] == "**1.50**"


def test_what_only_one_kind_has_chooses_it(seeds, sets):
    own = show(sets, "fidelity")
    assert show_all(seeds, sets) == f"{show(seeds)}\n{own}"
    assert show_all(seeds, sets, where="command=fidelity") == own
    assert show_all(seeds, sets, where="command=classify") == show(seeds)
    assert show_all(seeds, sets, where="gate_accuracy>0.45", group=False).count("fidelity/y") == 2
    assert show_all(seeds, sets, columns=("auroc",)) == show(seeds, columns=("auroc",))
    assert show_all(seeds, sets, sort="kid").startswith("fer2013, private split")
    assert show([], "fidelity") == "No rows yet: `ferbench fidelity` adds the first.\n"


def test_csv_is_of_one_kind(seeds, sets):
    with pytest.raises(UserError, match="format=csv: one table; expected kind=classify or another"):
        show_all(seeds, sets, format="csv")
    (_, a, b) = csv.DictReader(io.StringIO(show(sets, "fidelity", format="csv")))
    assert (a["set_name"], a["fid"], b["fid_sd"]) == ("b", "1.5", "1.4142135623730951")


def test_a_name_is_no_formula_in_csv(make_row):
    text = show([make_row(model="=1+1")], format="csv")
    assert ",'=1+1," in text and ",=1+1," not in text


def test_the_better_way_of_each_score_of_fidelity():
    """Distances fall, shares rise; what describes the reference is neither."""
    kind = KINDS["fidelity"]
    ways = {name: kind.better(name) for name in kind.scores}
    lower = {name for name, way in ways.items() if way == "lower"}
    distances = {"fid", "fid_matched", "fid_intra", "kid", "kid_disgust", "js_distance"}
    assert lower == distances | {"path_length"}
    assert not {"seconds", "seed", "kimg"} & set(ways)
    assert {name for name, way in ways.items() if not way} == {
        "fid_floor",
        "kid_deviation",
        "kid_floor",
        "js_floor",
        "gate_floor",
    }


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_only_describes_a_score_is_never_the_best(kind):
    """Levels of chance, floors and settings are shown beside a score, and improve in no way."""
    beside = [n for n in kind.scores if n.endswith(("_floor", "_chance")) or n == "folds"]
    assert not [name for name in beside if kind.better(name)]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("group", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_filtered_sorted_and_printed(kind, group, form, make_any):
    """Three experiments of two seeds; one is left out, the others go by their score."""
    score = next(name for name in KINDS[kind].default_columns if KINDS[kind].better(name))
    rows = [
        make_any(kind, seed=seed, cell=cell, **{score: value})
        for cell, value in (("low", 10), ("high", 20), ("other", 90))
        for seed in (0, 1)
    ]
    best_first, worst_first = (
        show(
            rows,
            kind,
            where="cell!=other",
            sort=sort,
            columns=(score, "cell", "seconds"),
            group=group,
            format=form,
        )
        for sort in (score, f"-{score}")
    )
    high_first = KINDS[kind].better(score) == "higher"
    assert (best_first.index("high") < best_first.index("low")) == high_first
    assert (worst_first.index("high") < worst_first.index("low")) != high_first
    assert "other" not in best_first
    assert show(rows, kind, format=form, group=group)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1234.5, "1234"),
        (12.345, "12.3"),
        (0.0012345, "0.00123"),
        (-0.5, "-0.500"),
        (1e-9, "0.000000"),
        (999.9, "1000"),
    ],
)
def test_three_digits(value, text):
    assert three_digits(value) == text
