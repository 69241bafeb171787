"""FER2013 from every form in which people have it, and each way in which it can be wrong."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferbench.classes import CLASSES, SPLITS
from ferbench.data.fer2013 import source as fer2013
from ferbench.data.label_counts import counts_by_name
from ferbench.errors import UserError

PREFIXES = {"train": "Training", "public": "PublicTest", "private": "PrivateTest"}
FOLDERS = {"train": "train", "public": "test", "private": "test"}


def face(split: str, label: int) -> np.ndarray:
    """The one face of a class in a split of the small data set."""
    seed = [SPLITS.index(split), label]
    return np.random.default_rng(seed).integers(0, 256, (48, 48), dtype=np.uint8)


def png(levels: np.ndarray, mode: str = "L") -> bytes:
    data = io.BytesIO()
    Image.fromarray(levels).convert(mode).save(data, "PNG")
    return data.getvalue()


def image_files(
    folders: dict[str, str] = FOLDERS, prefixes: dict[str, str] = PREFIXES
) -> dict[str, bytes]:
    """Files of the small data set: one face of each class in each split."""
    return {
        f"{folders[split]}/{name}/{prefixes[split]}_{label}1.png": png(face(split, label))
        for split in SPLITS
        for label, name in enumerate(CLASSES)
    }


def write_folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def table(splits: tuple[str, ...], columns: tuple[str, ...]) -> list[list[str]]:
    """Header and rows of the small data set; columns as spelled in the file."""
    cells = {
        "emotion": lambda split, label: str(label),
        "pixels": lambda split, label: " ".join(map(str, face(split, label).ravel().tolist())),
        "usage": lambda split, label: PREFIXES[split],
    }
    rows = [
        [cells[column.strip().lower()](split, label) for column in columns]
        for split in splits
        for label in range(len(CLASSES))
    ]
    return [list(columns), *rows]


def csv_bytes(rows: list[list[str]], **form) -> bytes:
    text = io.StringIO()
    csv.writer(text, **{"lineterminator": "\n", **form}).writerows(rows)
    return text.getvalue().encode()


WHOLE = csv_bytes(table(SPLITS, ("emotion", "pixels", "Usage")))
ICML = csv_bytes(table(SPLITS, ("emotion", " Usage", " pixels")))
TRAIN = csv_bytes(table(("train",), ("emotion", "pixels")))
TEST = csv_bytes(table(("public", "private"), ("emotion", "pixels")))
UNLABELED_TEST = csv_bytes(table(("public", "private"), ("pixels",)))


def read(source: Path):
    return fer2013.read_source(source, allow_other_counts=True)


def refused(source: Path, *, allow_other_counts: bool = True) -> str:
    with pytest.raises(UserError) as caught:
        fer2013.read_source(source, allow_other_counts=allow_other_counts)
    text = str(caught.value)
    assert text.startswith(f"source={source}: ")
    assert "\n" not in text
    return text.removeprefix(f"source={source}: ")


def check_small_set(splits) -> None:
    """Every face is where it belongs, with its label, in the order of CLASSES."""
    assert list(splits) == list(SPLITS)
    for split, faces in splits.items():
        assert faces.labels.tolist() == list(range(len(CLASSES)))
        assert np.array_equal(faces.images, [face(split, label) for label in range(len(CLASSES))])
        assert len(set(faces.names.tolist())) == len(CLASSES)


# Every form


@pytest.mark.parametrize("top", ["", "fer2013/", "archive/Data/", "train/"])
def test_zip_of_images(tmp_path, top):
    """A top folder and the junk of file managers make no difference."""
    files = {f"{top}{name}": data for name, data in image_files().items()}
    files |= {f"__MACOSX/{top}train/happy/._Training_1.png": b"x", f"{top}.DS_Store": b"x"}
    splits, report = read(write_zip(tmp_path / "x.zip", files))
    check_small_set(splits)
    assert report.kind == "zip"
    assert splits["train"].names[0] == "train/angry/Training_01.png"


def test_folder_gives_the_same_as_its_zip(tmp_path):
    folder, report = read(write_folder(tmp_path / "folder", image_files()))
    packed, _ = read(write_zip(tmp_path / "x.zip", dict(reversed(image_files().items()))))
    check_small_set(folder)
    assert report.kind == "folder"
    for split in SPLITS:
        assert np.array_equal(folder[split].names, packed[split].names)
        assert np.array_equal(folder[split].images, packed[split].images)


@pytest.mark.parametrize(
    ("folders", "prefixes"),
    [
        ({"train": "Train", "public": "Test", "private": "Test"}, PREFIXES),
        ({"train": "training", "public": "public", "private": "private"}, PREFIXES),
        (
            {"train": "train", "public": "public", "private": "private"},
            dict.fromkeys(SPLITS, "image"),
        ),
        (
            {"train": "train", "public": "validation", "private": "test"},
            dict.fromkeys(SPLITS, "im"),
        ),
        (FOLDERS, {split: prefix.lower() for split, prefix in PREFIXES.items()}),
    ],
)
def test_spellings_of_the_folders(tmp_path, folders, prefixes):
    splits, _ = read(write_folder(tmp_path / "x", image_files(folders, prefixes)))
    check_small_set(splits)


@pytest.mark.parametrize(
    ("name", "synonym"),
    [
        ("angry", "Anger"),
        ("disgust", "DISGUSTED"),
        ("fear", "fearful"),
        ("happy", "happiness"),
        ("sad", "sadness"),
        ("surprise", "surprised"),
        ("neutral", "Neutral"),
    ],
)
def test_synonyms_of_the_classes(tmp_path, name, synonym):
    files = {
        path.replace(f"/{name}/", f"/{synonym}/"): data for path, data in image_files().items()
    }
    splits, _ = read(write_zip(tmp_path / "x.zip", files))
    check_small_set(splits)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (WHOLE, "csv"),
        (ICML, "icml csv"),
        (b"\xef\xbb\xbf" + WHOLE.replace(b"\n", b"\r\n"), "csv"),
        (WHOLE.replace(b"\n", b"\n\n") + b"\n", "csv"),
        (csv_bytes(table(SPLITS, ("Usage", "PIXELS", "Emotion"))), "csv"),
    ],
    ids=["fer2013", "icml", "BOM and CRLF", "empty lines", "other order"],
)
def test_csv(tmp_path, data, kind):
    (tmp_path / "fer2013.csv").write_bytes(data)
    splits, report = read(tmp_path / "fer2013.csv")
    check_small_set(splits)
    assert report.kind == kind


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_csv_as_spreadsheets_save_it(tmp_path, delimiter, end, start, quoting):
    rows = table(SPLITS, ("emotion", "pixels", "Usage"))
    data = csv_bytes(rows, delimiter=delimiter, lineterminator=end, quoting=quoting)
    (tmp_path / "mine.csv").write_bytes(start.encode() + data)
    check_small_set(read(tmp_path / "mine.csv")[0])


def test_pair_with_semicolons(tmp_path):
    """Each half by itself: the one has commas, the other semicolons."""
    rows = table(("public", "private"), ("emotion", "pixels"))
    write_folder(tmp_path, {"train.csv": TRAIN, "test.csv": csv_bytes(rows, delimiter=";")})
    check_small_set(read(tmp_path)[0])


def test_labels_as_words(tmp_path):
    words = ["Anger", "disgust", "FEAR", "happiness", " sad ", "surprised", "neutral"]
    rows = table(SPLITS, ("emotion", "pixels", "Usage"))
    named = [[words[int(label)], *rest] for label, *rest in rows[1:]]
    (tmp_path / "mine.csv").write_bytes(csv_bytes([rows[0], *named]))
    splits, report = read(tmp_path / "mine.csv")
    check_small_set(splits)
    assert len(report.messages) == 1  # the counts; nothing was guessed


def test_the_reading_of_numbers_is_told_with_a_doubt(tmp_path):
    """The labels of another tool's order come through as other expressions, but not silently."""
    rows = table(SPLITS, ("emotion", "pixels", "Usage"))
    (tmp_path / "mine.csv").write_bytes(csv_bytes([*rows, rows[4], rows[4]]))
    _, report = read(tmp_path / "mine.csv")
    assert report.messages[-2] == (
        "the labels are numbers and were read as 0=angry (3 images), 1=disgust (3 images), "
        "2=fear (3 images), 3=happy (5 images), 4=sad (3 images), 5=surprise (3 images), "
        "6=neutral (3 images)"
    )
    assert "this order is a guess" in report.messages[-1]


def test_numbers_with_the_counts_of_the_release_are_no_guess(tmp_path, monkeypatch):
    monkeypatch.setattr(fer2013, "RELEASE", dict.fromkeys(SPLITS, (1,) * 7))
    (tmp_path / "mine.csv").write_bytes(WHOLE)
    assert read(tmp_path / "mine.csv")[1].messages == ()


def test_names_of_csv_faces_are_rows_as_a_spreadsheet_counts(tmp_path):
    (tmp_path / "fer2013.csv").write_bytes(WHOLE)
    splits, _ = read(tmp_path / "fer2013.csv")
    assert splits["train"].names[0] == "fer2013.csv:2"
    assert splits["private"].names[-1] == "fer2013.csv:22"


@pytest.mark.parametrize("given", ["", "train.csv", "test.csv"])
def test_pair_by_its_folder_or_either_file(tmp_path, given):
    """The first half of test.csv is public, the second private."""
    write_folder(tmp_path, {"train.csv": TRAIN, "test.csv": TEST})
    splits, report = read(tmp_path / given)
    check_small_set(splits)
    assert report.kind == "train+test csv"
    assert "first half is PublicTest" in report.messages[0]


def test_csv_in_a_zip(tmp_path):
    splits, report = read(write_zip(tmp_path / "x.zip", {"fer2013/fer2013.csv": WHOLE}))
    check_small_set(splits)
    assert report.kind == "csv"


def test_archive_of_the_challenge(tmp_path):
    """It holds everything at once; the complete table wins over the unlabeled test.csv."""
    files = {
        "example_submission.csv": b"emotion\n0\n",
        "fer2013.tar.gz": b"\x1f\x8b",
        "icml_face_data.csv": ICML,
        "train.csv": TRAIN,
        "test.csv": UNLABELED_TEST,
    }
    splits, report = read(write_zip(tmp_path / "x.zip", files))
    check_small_set(splits)
    assert report.kind == "icml csv"
    assert "read icml_face_data.csv, not the other files" in report.messages


def test_fer2013_csv_wins_over_its_copy(tmp_path):
    write_folder(tmp_path, {"fer2013.csv": WHOLE, "icml_face_data.csv": ICML})
    assert read(tmp_path)[1].kind == "csv"


def test_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "fer2013.csv").write_bytes(WHOLE)
    check_small_set(read(Path("~/fer2013.csv"))[0])


# The report


def test_report_counts_and_conversions(tmp_path):
    files = image_files()
    extra = np.random.default_rng(9).integers(0, 256, (96, 96), dtype=np.uint8)
    files["train/happy/Training_8.png"] = png(extra)
    files["train/happy/Training_9.png"] = png(extra[:48, :48], "RGB")
    files["test/happy/PublicTest_9.png"] = png(extra[:48, :48], "RGB")
    splits, report = read(write_zip(tmp_path / "x.zip", files))
    assert report.counts["train"] == {name: 3 if name == "happy" else 1 for name in CLASSES}
    assert report.counts == {split: counts_by_name(faces.labels) for split, faces in splits.items()}
    assert report.converted == {"RGB": 2, "96x96": 1}
    assert report.fingerprint == fer2013.fingerprint(tmp_path / "x.zip")
    assert report.to_manifest()["converted"] == {"RGB": 2, "96x96": 1}


def test_images_outside_the_layout_are_told(tmp_path):
    files = image_files() | {"sample.png": png(face("train", 0)), "readme.txt": b"x"}
    splits, report = read(write_zip(tmp_path / "x.zip", files))
    check_small_set(splits)
    assert any("1 images outside" in text and "sample.png" in text for text in report.messages)


def test_progress_ends_at_the_number_of_images(tmp_path):
    calls = []
    source = write_zip(tmp_path / "x.zip", image_files())
    fer2013.read_source(
        source, allow_other_counts=True, on_progress=lambda *numbers: calls.append(numbers)
    )
    assert calls == [(21, 21)]


# The fingerprint


def test_fingerprint_of_a_file_is_its_sha256(tmp_path):
    """SHA-256 of the empty string."""
    (tmp_path / "x.csv").write_bytes(b"")
    want = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert fer2013.fingerprint(tmp_path / "x.csv") == want


def test_fingerprint_of_a_folder_changes_with_its_files(tmp_path):
    write_folder(tmp_path, image_files())
    before = fer2013.fingerprint(tmp_path)
    assert fer2013.fingerprint(tmp_path) == before
    (tmp_path / "train/happy/Training_9.png").write_bytes(b"1")
    assert fer2013.fingerprint(tmp_path) != before


def test_fingerprint_of_a_pair_covers_both_halves(tmp_path):
    write_folder(tmp_path, {"train.csv": TRAIN, "test.csv": TEST})
    before = fer2013.fingerprint(tmp_path / "train.csv")
    assert fer2013.fingerprint(tmp_path / "test.csv") == before
    (tmp_path / "test.csv").write_bytes(TEST[:-1])
    assert fer2013.fingerprint(tmp_path / "train.csv") != before


def test_fingerprint_of_an_absent_source(tmp_path):
    with pytest.raises(UserError, match="no such file or folder"):
        fer2013.fingerprint(tmp_path / "absent.zip")


# Counts


def test_release_has_35887_images():
    assert [sum(fer2013.RELEASE[split]) for split in SPLITS] == [28_709, 3_589, 3_589]
    assert fer2013.RELEASE_IMAGES == 35_887


def test_other_counts_are_refused_unless_allowed(tmp_path):
    source = write_zip(tmp_path / "x.zip", image_files())
    text = refused(source, allow_other_counts=False)
    assert "train: 7 images, expected 28,709; public: 7 images, expected 3,589" in text
    assert "allow_other_counts=true" in text
    assert "not the counts of the FER2013 release" in read(source)[1].messages[-1]


def test_other_classes_of_the_right_total_are_refused(tmp_path, monkeypatch):
    """Two images of a class moved to another: relabeled, or test.csv in another order."""
    monkeypatch.setattr(fer2013, "RELEASE", dict.fromkeys(SPLITS, (1,) * 7))
    source = write_zip(tmp_path / "x.zip", image_files())
    assert fer2013.read_source(source, allow_other_counts=False)[1].messages == ()
    monkeypatch.setitem(fer2013.RELEASE, "public", (2, 0, 1, 1, 1, 1, 1))
    text = refused(source, allow_other_counts=False)
    assert "(public: angry 1, expected 2, disgust 1, expected 0)" in text


# Image folders that are wrong


def test_unknown_class(tmp_path):
    files = image_files() | {"train/contempt/Training_1.png": png(face("train", 0))}
    text = refused(write_zip(tmp_path / "x.zip", files))
    assert text.startswith("unknown class folder 'train/contempt'; expected angry, disgust")


def test_numbered_classes_are_not_guessed(tmp_path):
    files = {path.replace("/happy/", "/3/"): data for path, data in image_files().items()}
    assert "unknown class folder 'train/3'" in refused(write_zip(tmp_path / "x.zip", files))


def test_missing_class(tmp_path):
    files = {path: data for path, data in image_files().items() if "PublicTest_3" not in path}
    text = refused(write_zip(tmp_path / "x.zip", files))
    assert "the public split has no images of happy" in text


def test_empty_split(tmp_path):
    files = {path: data for path, data in image_files().items() if "Private" not in path}
    text = refused(write_zip(tmp_path / "x.zip", files))
    assert "the private split has no images; expected 3,589" in text


def test_test_folder_without_prefixes(tmp_path):
    source = write_zip(tmp_path / "x.zip", image_files(prefixes=dict.fromkeys(SPLITS, "im")))
    text = refused(source)
    assert "PublicTest or PrivateTest?" in text
    assert "folders public/ and private/" in text
    assert text.endswith("or split_held_out=true, which divides the folder")


def held_out_files(folder: str) -> dict[str, bytes]:
    """Per class one training face, and in the held-out folder two: a of public, b of private."""
    return {
        f"{'train' if split == 'train' else folder}/{name}/{file}.png": png(face(split, label))
        for split, file in (("train", "a"), ("public", "a"), ("private", "b"))
        for label, name in enumerate(CLASSES)
    }


@pytest.mark.parametrize("folder", ["test", "Validation", "private"])
def test_one_held_out_folder_is_divided_on_request(tmp_path, folder):
    source = write_folder(tmp_path / "x", held_out_files(folder))
    assert "split_held_out=true" in refused(source)
    splits, report = fer2013.read_source(source, allow_other_counts=True, split_held_out=True)
    check_small_set(splits)
    assert report.messages[0] == (
        "split_held_out=true: of each class of the 14 held-out images, the first half is the "
        "public split, the rest the private one"
    )


def test_a_csv_without_private_rows_is_divided_on_request(tmp_path):
    rows = table(SPLITS, ("emotion", "pixels", "Usage"))
    one = [[*rest, "Training" if usage == "Training" else "PublicTest"] for *rest, usage in rows]
    (tmp_path / "x.csv").write_bytes(csv_bytes([rows[0], *one[1:]]))
    assert (
        "the private split has no images; expected 3,589; split_held_out=true divides"
        in refused(tmp_path / "x.csv")
    )
    splits, _ = fer2013.read_source(
        tmp_path / "x.csv", allow_other_counts=True, split_held_out=True
    )
    check_small_set(splits)


def test_of_an_odd_class_the_first_half_has_one_more(tmp_path):
    files = held_out_files("test") | {"test/happy/c.png": png(face("train", 0))}
    source = write_folder(tmp_path / "x", files)
    splits, _ = fer2013.read_source(source, allow_other_counts=True, split_held_out=True)
    assert splits["private"].names.tolist() == [
        f"test/{name}/{'c' if name == 'happy' else 'b'}.png" for name in CLASSES
    ]
    assert len(splits["public"]) == 8


@pytest.mark.parametrize("prefixes", [PREFIXES, PREFIXES | {"private": "im"}])
def test_release_names_are_not_divided_again(tmp_path, prefixes):
    """Nor guessed at where some files have them and some have not."""
    source = write_folder(tmp_path / "x", image_files(prefixes=prefixes))
    with pytest.raises(UserError, match=r"are there already|PublicTest or PrivateTest"):
        fer2013.read_source(source, allow_other_counts=True, split_held_out=True)


def test_prefix_against_its_folder(tmp_path):
    files = image_files() | {"test/happy/Training_9.png": png(face("train", 0))}
    text = refused(write_zip(tmp_path / "x.zip", files))
    assert "test/happy/Training_9.png: the name says train" in text


def test_two_sets_in_one_source(tmp_path):
    files = image_files() | {f"copy/{path}": data for path, data in image_files().items()}
    text = refused(write_zip(tmp_path / "x.zip", files))
    assert "train and test folders in '.' and 'copy/'" in text


def test_images_too_deep(tmp_path):
    files = image_files() | {"train/happy/more/Training_9.png": png(face("train", 0))}
    assert "expected images in train/<emotion>/" in refused(write_zip(tmp_path / "x.zip", files))


STRAY = ("train/README.md", "train/happy/list.txt", "train/more/notes", "readme.txt")
JUNK = (".DS_Store", "train/.DS_Store", "test/sad/Thumbs.db", "__MACOSX/train/happy/._1.png")


def test_stray_files_are_skipped_counted_and_named(tmp_path):
    files = image_files() | dict.fromkeys(STRAY + JUNK, b"x")
    for source in (write_zip(tmp_path / "x.zip", files), write_folder(tmp_path / "x", files)):
        splits, report = read(source)
        check_small_set(splits)
        want = "files that are no images, skipped: 8, the first is .DS_Store"
        assert report.messages[0] == want
    splits, report = read(write_zip(tmp_path / "y.zip", image_files() | {STRAY[1]: b"x"}))
    assert report.messages[0].endswith("skipped: 1, the first is train/happy/list.txt")


def test_images_of_a_format_that_is_not_read_are_not_skipped(tmp_path):
    """Faces would be missing."""
    files = image_files() | {"train/happy/face.webp": b"x"}
    text = refused(write_zip(tmp_path / "x.zip", files))
    assert "train/happy/face.webp: is not an image; expected .jpg" in text


@pytest.mark.parametrize("data", [b"", b"hello", png(face("train", 3))[:900]])
def test_file_that_is_no_image_by_content(tmp_path, data):
    files = image_files() | {"train/happy/Training_31.png": data}
    text = refused(write_zip(tmp_path / "x.zip", files))
    assert text.startswith("train/happy/Training_31.png: is not a")
    assert "expected a face of 48x48 pixels" in text


def test_damaged_member_is_named(tmp_path):
    source = write_zip(tmp_path / "x.zip", image_files())
    data = bytearray(source.read_bytes())
    data[data.index(b"train/fear/Training_21.png") + 500] ^= 255
    source.write_bytes(data)
    assert refused(source).startswith("train/fear/Training_21.png: cannot be read")


# CSV files that are wrong


def refused_row(tmp_path: Path, row: int, column: int, cell: str) -> str:
    rows = table(SPLITS, ("emotion", "pixels", "Usage"))
    rows[row - 1][column] = cell
    (tmp_path / "fer2013.csv").write_bytes(csv_bytes(rows))
    return refused(tmp_path / "fer2013.csv")


@pytest.mark.parametrize("label", ["7", "-1", "1.0", "joyful", ""])
def test_wrong_label(tmp_path, label):
    text = refused_row(tmp_path, 5, 0, label)
    want = f"row 5 of fer2013.csv: label '{label}'; expected an integer 0 to 6 or a word of angry, "
    assert text == f"{want}disgust, fear, happy, sad, surprise, neutral"


@pytest.mark.parametrize(
    ("pixels", "fault"),
    [
        ("1 2 3", "3 pixels; expected 2304"),
        (" ".join(["0"] * 2303 + ["256"]), "pixel '256'; expected integers 0 to 255"),
        (" ".join(["0"] * 2303 + ["1.5"]), "pixel '1.5'; expected integers 0 to 255"),
    ],
)
def test_wrong_pixels(tmp_path, pixels, fault):
    assert refused_row(tmp_path, 22, 1, pixels) == f"row 22 of fer2013.csv: {fault}"


def test_wrong_usage(tmp_path):
    text = refused_row(tmp_path, 2, 2, "Validation")
    assert text.startswith("row 2 of fer2013.csv: Usage 'Validation'; expected Training")


def test_row_of_other_length(tmp_path):
    (tmp_path / "fer2013.csv").write_bytes(WHOLE + b"1,2\n")
    assert "row 23 of fer2013.csv: 2 columns; expected 3" in refused(tmp_path / "fer2013.csv")


def test_cut_csv(tmp_path):
    (tmp_path / "fer2013.csv").write_bytes(WHOLE[:-5000])
    assert "row 22 of fer2013.csv: 2 columns; expected 3" in refused(tmp_path / "fer2013.csv")


def test_endless_line(tmp_path):
    (tmp_path / "fer2013.csv").write_bytes(WHOLE + b"1" * 70_000)
    assert "row 23 of fer2013.csv: over 65536 char" in refused(tmp_path / "fer2013.csv")


def test_csv_that_is_no_text(tmp_path):
    (tmp_path / "fer2013.csv").write_bytes(WHOLE + b"\xff\xfe")
    assert "is not UTF-8 text" in refused(tmp_path / "fer2013.csv")


def test_open_quote(tmp_path):
    """A quote that is never closed would swallow the rest of the file as one cell."""
    data = WHOLE.replace(b"\n2,", b'\n"2,', 1) * 2
    (tmp_path / "fer2013.csv").write_bytes(data * 2)
    assert "is no CSV row" in refused(tmp_path / "fer2013.csv")


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        (("emotion", "pixels"), "'Usage'"),
        (("pixels", "Usage"), "'emotion'"),
        (("emotion", "Usage"), "'pixels'"),
        (("emotion",), "'pixels' and 'Usage'"),
    ],
)
def test_missing_column(tmp_path, columns, missing):
    (tmp_path / "fer2013.csv").write_bytes(csv_bytes(table(SPLITS, columns)))
    assert f"fer2013.csv has no column {missing};" in refused(tmp_path / "fer2013.csv")


def test_unlabeled_test_half(tmp_path):
    write_folder(tmp_path, {"train.csv": TRAIN, "test.csv": UNLABELED_TEST})
    text = refused(tmp_path)
    assert text.startswith("test.csv has no labels (no column 'emotion')")


@pytest.mark.parametrize(("given", "missing"), [("train", "test"), ("test", "train")])
def test_half_without_the_other(tmp_path, given, missing):
    (tmp_path / f"{given}.csv").write_bytes(TRAIN)
    assert refused(tmp_path / f"{given}.csv").startswith(f"{missing}.csv is missing")


def test_two_complete_tables(tmp_path):
    write_folder(tmp_path, {"a/fer2013.csv": WHOLE, "b/fer2013.csv": WHOLE})
    assert refused(tmp_path).startswith("a/fer2013.csv and b/fer2013.csv both hold FER2013")


# Neither


@pytest.mark.parametrize(
    "files", [{}, {"readme.txt": b"x"}, {"x.csv": b"a,b\n1,2\n"}, {"x.csv": b"\xff\xfe\0"}]
)
def test_folder_and_zip_without_faces(tmp_path, files):
    folder = tmp_path / "folder"
    folder.mkdir()
    assert "found no FER2013 in its" in refused(write_folder(folder, files))
    assert "found no FER2013 in its" in refused(write_zip(tmp_path / "x.zip", files))


def test_archive_within_a_folder_is_pointed_at(tmp_path):
    write_folder(tmp_path, {"sub/fer2013.tar.gz": b"x"})
    assert "in its 1 files (unpack sub/fer2013.tar.gz); expected" in refused(tmp_path)


@pytest.mark.parametrize("data", [b"", b"hello", png(face("train", 0)), bytes(3000)])
def test_file_of_another_kind(tmp_path, data):
    (tmp_path / "x.csv").write_bytes(data)
    text = refused(tmp_path / "x.csv")
    assert text.startswith("found no FER2013 in the file; expected FER2013 as a zip, a folder")
