"""Files that are whole or absent, whatever happens to who writes them."""

import json
from pathlib import Path

import numpy as np
import pytest

from ferbench import files


def test_a_written_file_is_whole_and_alone(tmp_path: Path) -> None:
    files.write_whole(tmp_path / "a.txt", lambda path: path.write_text("new"))
    assert (tmp_path / "a.txt").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_writer_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, error: BaseException
) -> None:
    (tmp_path / "a.txt").write_text("old")

    def write(path: Path) -> None:
        path.write_text("ne")
        raise error

    with pytest.raises(type(error)):
        files.write_whole(tmp_path / "a.txt", write)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_reader_never_sees_a_part(tmp_path: Path) -> None:
    """While the new file is written the old one stands; who has it open goes on reading it."""
    seen = []

    def write(path: Path) -> None:
        path.write_text("new")
        seen.append((tmp_path / "a.txt").read_text())

    (tmp_path / "a.txt").write_text("old")
    with (tmp_path / "a.txt").open() as opened_before:
        files.write_whole(tmp_path / "a.txt", write)
        assert opened_before.read() == "old"
    assert seen == ["old"]
    assert (tmp_path / "a.txt").read_text() == "new"


def test_parts_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    left = []
    files.write_whole(
        tmp_path / "state.pt",
        lambda path: (left.append(path), path.write_text("x")),
    )
    left[0].write_text("half")
    (tmp_path / ".lock").write_text("")
    files.remove_partial(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "state.pt"]


def test_json_is_readable_and_ends_with_a_newline(tmp_path: Path) -> None:
    files.save_json(tmp_path / "a.json", {"name": "Müller", "n": 1})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"name": "Müller", "n": 1}
    assert "Müller" in text
    assert text.endswith("}\n")


def test_arrays_are_kept_under_any_name_and_objects_refused(tmp_path: Path) -> None:
    """A name without the usual suffix stays; nothing that would be unpickled is written."""
    numbers = np.arange(6, dtype=np.int64).reshape(2, 3)
    files.save_array(tmp_path / "numbers", numbers)
    np.testing.assert_array_equal(np.load(tmp_path / "numbers", allow_pickle=False), numbers)
    for compress in (False, True):
        files.save_arrays(tmp_path / "both.cache", compress=compress, a=numbers, b=numbers > 2)
        with np.load(tmp_path / "both.cache", allow_pickle=False) as file:
            assert sorted(file) == ["a", "b"]
            np.testing.assert_array_equal(file["b"], numbers > 2)
    objects = np.array([None], dtype=object)
    with pytest.raises(ValueError, match="Object arrays"):
        files.save_array(tmp_path / "objects.npy", objects)
    with pytest.raises(AssertionError):
        files.save_arrays(tmp_path / "objects.npz", a=objects)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both.cache", "numbers"]


def test_a_changed_byte_of_a_cache_never_changes_what_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged cache counts as none, and that is said; without one nothing is said."""
    path, rng = tmp_path / "cache.npz", np.random.default_rng(0)
    features = rng.random((40, 5), dtype=np.float32)
    files.save_arrays(path, features=features, key=np.array(["a"]))
    whole, refused = path.read_bytes(), 0
    for place in rng.integers(len(whole), size=200):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        kept = files.load_cached(path, "features", "key")
        if kept is None:
            refused += 1
        else:
            np.testing.assert_array_equal(kept["features"], features)
            assert kept["key"].tolist() == ["a"]
    assert refused > 100
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == refused
    assert all("cache.npz: damaged (" in line for line in printed)
    assert files.load_cached(tmp_path / "none.npz", "features") is None
    with pytest.raises(ValueError, match="damaged"):
        files.load_arrays(path, "other")
