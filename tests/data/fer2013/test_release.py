"""A set is called fer2013 only if its content is the release's."""

from pathlib import Path

import pytest

from ferbench.data.fer2013 import release

OTHER = release.HASHES | {"private": "0" * 64}


def test_the_release_has_its_name_whatever_the_file_is_called():
    assert release.set_name(Path("archive (3).zip"), release.HASHES) == "fer2013"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("mine/faces.zip", "faces"),
        ("My faces, cleaned.csv", "My_faces_cleaned"),
        ("fer2013.csv", "fer2013_csv"),
        ("FER2013.zip", "FER2013_zip"),
        ("toy", "toy_folder"),
        ("x/../rafdb", "rafdb"),
        ("表情.zip", "faces"),
        ("a" * 90, "a" * 60),
    ],
)
def test_other_content_is_named_after_its_source(source, name):
    assert release.set_name(Path(source), OTHER) == name
