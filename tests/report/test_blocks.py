"""Reports: what is written stands there, whatever it holds, and the HTML needs nothing else."""

import re
from html.parser import HTMLParser

import pytest

from ferbench import report
from ferbench.classifiers.figures import plot_confusion
from ferbench.report import Code, Figure, Heading, Table, Text

NASTY = "a<b & 'c' \"d\" | e_f * 2 [x](y) <script>alert(1)</script> # 1"


class Page(HTMLParser):
    """The tags in order, texts, and every address that the page would fetch."""

    VOID = ("meta", "img")

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.addresses, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open += [tag] * (tag not in self.VOID)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def picture(tmp_path):
    import numpy as np

    plot_confusion(np.eye(7, dtype=np.int64), path=tmp_path / "picture.png")
    return tmp_path / "picture.png"


def test_a_report_is_written_twice_and_whole(tmp_path, picture):
    blocks = [
        Heading("Values"),
        Text("A *lower* value of `fid` is better."),
        Table(["metric", "set"], [["FID", "3.2"]], note="n = 7"),
        Heading("Part", level=3),
        Figure(picture, "All of it."),
        Code("ferbench fidelity set=x"),
    ]
    report.write(tmp_path, "A title", blocks)
    assert {path.name for path in tmp_path.iterdir()} == {"picture.png", "report.md", "report.html"}
    assert (tmp_path / "report.md").read_text() == (
        "# A title\n\n## Values\n\nA *lower* value of `fid` is better.\n\n"
        "| metric | set |\n| :--- | ---: |\n| FID | 3.2 |\n\nn = 7\n\n### Part\n\n"
        "![All of it.](picture.png)\n\nAll of it.\n\n```\nferbench fidelity set=x\n```\n"
    )
    page = Page((tmp_path / "report.html").read_text())
    assert page.open == []
    assert page.tags.count("h2") == page.tags.count("h3") == page.tags.count("figure") == 1
    assert {"em", "code", "pre", "thead"} <= set(page.tags)


def test_the_page_fetches_nothing(tmp_path, picture):
    """Its only address is the picture itself, in it byte by byte."""
    import base64

    page = Page(report.page("t", [Figure(picture, "c"), Text("http://example.org/x.png")]))
    (address,) = page.addresses
    kind, content = address.split(",", 1)
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content) == picture.read_bytes()
    assert not {"script", "link", "iframe"} & set(page.tags)


@pytest.mark.parametrize(
    "make", [Text, Heading, lambda text: Table([text], [[text]], note=text), Code]
)
def test_nothing_in_a_text_becomes_markup(make):
    """The text comes back as it was; no tag and no link is made of it."""
    page = Page(report.page("t", [make(NASTY)]))
    assert page.open == []
    assert not {"script", "em", "a"} & set(page.tags)
    assert NASTY in page.texts


def test_markdown_escapes_what_it_would_take_as_its_own():
    cell = report.markdown("t", [Table(["x"], [[NASTY]])]).splitlines()[-1]
    assert cell == (
        r"| a\<b & 'c' \"d\" \| e\_f \* 2 \[x](y) \<script>alert(1)\</script> \# 1 |".replace(
            r"\"", '"'
        )
    )
    assert len(re.findall(r"(?<!\\)\|", cell)) == 2


@pytest.mark.parametrize(
    ("text", "markdown", "page"),
    [
        ("`a_b`", "`a_b`", "<code>a_b</code>"),
        ("`a|b`", r"`a\|b`", "<code>a|b</code>"),
        ("`<b>`", "`<b>`", "<code>&lt;b&gt;</code>"),
        ("*all* of it", "*all* of it", "<em>all</em> of it"),
        ("2 * 3 * 4", r"2 \* 3 \* 4", "2 * 3 * 4"),
        ("a*b*c", r"a\*b\*c", "a*b*c"),
        ("*a `b`", r"\*a `b`", "*a <code>b</code>"),
        ("two\n  lines", "two lines", "two lines"),
    ],
)
def test_the_two_marks(text, markdown, page):
    assert report.markdown("t", [Text(text)]) == f"# t\n\n{markdown}\n"
    assert f"<p>{page}</p>" in report.page("t", [Text(text)])


def test_numbers_are_broken_before_a_bracket_only():
    table = Table(["class", "KID"], [["not a number", "0.1 ± 0.2 (0.3 to 0.4)"]])
    page = report.page("t", [table])
    assert '<td class="name">not a number</td>' in page
    number = "0.1 ± 0.2".replace(" ", "\u00a0")
    assert f"<td>{number} (0.3\u00a0to\u00a00.4)</td>" in page


def test_a_table_without_names_has_no_head():
    page = Page(report.page("t", [Table(["", ""], [["a", "b"]], leading=2)]))
    assert "thead" not in page.tags and page.tags.count("td") == 2


def test_the_page_prints_with_whole_tables_and_figures():
    """No scroll bar cuts a table on paper; a wide table is set smaller, a short one stays whole."""
    wide = report.page("t", [Table(list("abcdefghi"), [["1"] * 9])])
    assert '<div class="wide many short">' in wide
    assert '<div class="wide">' in report.page("t", [Table(["a"], [["1"]] * 40)])
    style = wide.partition("@media print")[2]
    assert ".wide { overflow: visible; }" in style
    assert "tr, figure, .note, pre, .short table { break-inside: avoid; }" in style
    assert ".wide { overflow-x: auto; }" in wide  # on a screen it scrolls
