"""A user's CSV: whose lines are whose, and every line of refusal."""

import numpy as np
import pytest

from ferbench.bias import from_file
from ferbench.errors import UserError

NAMES = ["test/angry/a_1.jpg", "test/sad/b_2.jpg", "test/sad/c_3.jpg"]


@pytest.fixture
def write(tmp_path):
    """write(text): a file of it."""

    def make(text, encoding="utf-8"):
        path = tmp_path / "faces.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return make


def columns_of(path, own=NAMES, real=None):
    return from_file.attributes(from_file.read(path), own, real, groups=2)


def test_lines_belong_to_the_images_of_that_name(write, capsys):
    """In any order; an image without a line, and an empty cell, are unknown."""
    path = write("name,sex,age\ntest/sad/c_3.jpg,f,\ntest/angry/a_1.jpg,m,young\nother,f,old\n")
    sex, age = columns_of(path)
    assert (sex.name, sex.group_names, sex.own.groups.tolist()) == ("sex", ("f", "m"), [1, -1, 0])
    assert age.own.groups.tolist() == [0, -1, -1] and age.given
    assert sex.real is None
    assert "of 2 of 3 images" in capsys.readouterr().out


def test_folders_and_endings_may_be_left_out(write):
    (sex,) = columns_of(write("\ufeffname,sex\na_1,m\nc_3.png,f\n"))
    assert sex.own.groups.tolist() == [1, -1, 0]


def test_endings_count_where_names_are_not_unique_without_them(write):
    path = write("name,sex\na,m\n")
    with pytest.raises(UserError, match="0 of its 1 names"):
        columns_of(path, ["x/a.jpg", "y/a.jpg"])


def test_real_images_are_looked_up_too(write):
    (sex,) = columns_of(write("name,sex\n0,m\n1,f\nr,f\n"), ["0", "1"], ["q", "r"])
    assert sex.real.groups.tolist() == [-1, 0]
    (sex,) = columns_of(write("name,sex\n0,m\n1,f\n"), ["0", "1"], ["q", "r"])
    assert sex.real is None


def test_many_different_numbers_are_cut_into_quantiles(write):
    lines = "".join(f"{i},{i * 1.5},{i % 2}\n" for i in range(40))
    age, sex = columns_of(write(f"name,age,sex\n{lines}"), [str(i) for i in range(40)])
    assert age.numeric and np.bincount(age.own.groups).tolist() == [20, 20]
    assert not sex.numeric and sex.group_names == ("0", "1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,sex\na_1,m\n", r"no column `name` \(columns: image, sex\); expected the images'"),
        ("", r"no column `name` \(columns: none\)"),
        ("name\na_1\n", "no column but `name`; expected attributes"),
        ("name,sex,sex\na_1,m,m\n", "the columns are name, sex, sex; expected different names"),
        ("name,brightness\na_1,3\n", "column brightness is computed from the images"),
        ("name,sex\na_1\n", "line 2 has 1 cells; expected 2"),
        ("name,sex\na_1,m\na_1,f\n", "a_1 is there twice"),
        ('name,sex\na_1,"m\n', "cannot be read as CSV"),
        (
            "name,sex\nx,m\ny,f\n",
            "0 of its 2 names are among the 3 images; expected names such as test/angry/a_1.jpg",
        ),
        ("name,sex\na_1,\n", "column sex is empty for all of the images"),
    ],
)
def test_files_of_another_form_are_refused(write, text, message):
    with pytest.raises(UserError, match=message) as caught:
        columns_of(write(text))
    assert str(caught.value).startswith("attributes=") and "\n" not in str(caught.value)


def test_too_many_words_are_refused(write):
    lines = "".join(f"{i},word{i}\n" for i in range(30))
    with pytest.raises(UserError, match="column sex has 30 different values; expected at most 20"):
        columns_of(write(f"name,sex\n{lines}"), [str(i) for i in range(30)])


def test_what_is_no_text_file_is_refused(write, tmp_path):
    with pytest.raises(UserError, match="cannot be read as CSV"):
        columns_of(write("name,sex\nä,m\n", "latin-1"))
    with pytest.raises(UserError, match=r"nowhere.csv: cannot be read as CSV \(No such file"):
        columns_of(tmp_path / "nowhere.csv")
    with pytest.raises(UserError, match=r"cannot be read as CSV \(Is a directory"):
        columns_of(tmp_path)
