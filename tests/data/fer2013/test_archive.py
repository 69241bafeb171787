"""Safe reading: what a zip, a folder or an image file may hold, and what is refused."""

import io
import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferbench.data.fer2013 import archive, csv_files, image_files
from ferbench.errors import UserError


def make_zip(path: Path, members: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return path


def names_in(source: Path) -> list[str]:
    with archive.open_files(source) as files:
        return files.names


def refused(source: Path) -> str:
    with pytest.raises(UserError) as caught:
        names_in(source)
    text = str(caught.value)
    assert text.startswith(f"source={source}: ")
    assert "\n" not in text
    return text


def encoded(levels: np.ndarray, kind: str = "PNG", mode: str | None = None) -> bytes:
    data = io.BytesIO()
    image = Image.fromarray(levels)
    (image.convert(mode) if mode else image).save(data, kind)
    return data.getvalue()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


# What a source holds


def test_zip_and_folder_list_the_same_files_without_junk(tmp_path):
    members = dict.fromkeys(
        ["fer/a.jpg", "fer/._a.jpg", "__MACOSX/fer/a.jpg", "fer/.DS_Store", "fer/Thumbs.db"], b"1"
    )
    packed = make_zip(tmp_path / "x.zip", members)
    folder = tmp_path / "folder"
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    assert names_in(packed) == names_in(folder) == ["fer/a.jpg"]


def test_backslashes_of_windows_zips_are_separators(tmp_path):
    info = zipfile.ZipInfo("a")
    info.filename = "fer\\a.jpg"
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr(info, b"1")
    assert names_in(tmp_path / "x.zip") == ["fer/a.jpg"]


def test_linked_folders_are_followed_once(tmp_path):
    """A link to the folder itself ends the walk; a link to another folder is part of the data."""
    data = tmp_path / "elsewhere"
    data.mkdir()
    (data / "1.jpg").write_bytes(b"1")
    root = tmp_path / "root"
    root.mkdir()
    (root / "happy").symlink_to(data)
    (root / "loop").symlink_to(root)
    assert names_in(root) == ["happy/1.jpg"]


def test_pipes_in_a_folder_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert names_in(tmp_path) == []


# Sources that are none


def test_absent_path(tmp_path):
    assert "no such file or folder; expected FER2013 as" in refused(tmp_path / "absent.zip")


def test_path_below_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "no such file or folder" in refused(tmp_path / "file" / "x.zip")


def test_device_is_neither_file_nor_folder(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in refused(tmp_path / "pipe")


def test_name_with_a_line_break_stays_on_one_line(tmp_path):
    with pytest.raises(UserError, match=r"a\?b\.zip: there is no such") as caught:
        names_in(tmp_path / "a\nb.zip")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("start", [b"\x1f\x8b\x08", b"\0" * 257 + b"ustar"])
def test_tar_and_gzip_say_to_unpack(tmp_path, start):
    (tmp_path / "fer2013.tar.gz").write_bytes(start + b"\0" * 600)
    assert "unpack it" in refused(tmp_path / "fer2013.tar.gz")


def test_cut_zip(tmp_path):
    whole = make_zip(tmp_path / "x.zip", {"a.jpg": bytes(5000)}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:3000])
    assert "zip is damaged or incomplete" in refused(tmp_path / "cut.zip")


# Unsafe zips


@pytest.mark.parametrize("name", ["../a.jpg", "x/../../a.jpg", "/etc/a.jpg", "C:/a.jpg", "..\\a"])
def test_paths_that_lead_outside(tmp_path, name):
    info = zipfile.ZipInfo("a")
    info.filename = name
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr(info, b"1")
    assert "leads outside the zip" in refused(tmp_path / "x.zip")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_special_files(tmp_path, kind):
    info = zipfile.ZipInfo("train/happy/1.jpg")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr(info, b"/etc/passwd")
    assert "train/happy/1.jpg: is a link or a special file" in refused(tmp_path / "x.zip")


def test_encrypted_member(tmp_path):
    """Bit 0 of the flags, at offset 8 of a central directory record, marks encryption."""
    path = make_zip(tmp_path / "x.zip", {"a.jpg": b"1"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "a.jpg: is encrypted" in refused(path)


def test_unusual_packing(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a.jpg": b"1" * 99}, zipfile.ZIP_BZIP2)
    assert "packed by method 12" in refused(path)


def test_two_members_of_one_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("a.jpg", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("a.jpg", b"2")
    assert "a.jpg: is in the zip twice" in refused(tmp_path / "x.zip")


def test_bomb_by_ratio(tmp_path):
    """Zeros deflate to about a thousandth."""
    path = make_zip(tmp_path / "x.zip", {"a.jpg": bytes(2**21)}, zipfile.ZIP_DEFLATED)
    assert "a.jpg: unpacks to over 100 times its size" in refused(path)


def test_bomb_by_total_size(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1999)
    path = make_zip(tmp_path / "x.zip", {"a.jpg": bytes(1000), "b.jpg": bytes(1000)})
    assert "unpacks to 2,000 bytes; expected at most 1,999" in refused(path)


def test_bomb_by_number_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILES", 1)
    path = make_zip(tmp_path / "x.zip", {"a.jpg": b"1", "b.jpg": b"2"})
    assert "2 members; expected at most 1" in refused(path)


# Reading members


def test_member_over_the_limit(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a.jpg": bytes(11)})
    with archive.open_files(path) as files:
        assert archive.read(files, "a.jpg", max_bytes=11) == bytes(11)
        with pytest.raises(UserError, match=r"a\.jpg: 11 bytes; expected at most 10"):
            archive.read(files, "a.jpg", max_bytes=10)


def test_member_larger_than_it_says(tmp_path):
    """The size in both headers is lowered: no more is unpacked than it says, and the CRC fails."""
    path = make_zip(tmp_path / "x.zip", {"a.jpg": noise(5000).tobytes()}, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    for start in (data.index(b"PK\x03\x04") + 22, data.index(b"PK\x01\x02") + 24):
        data[start : start + 4] = struct.pack("<I", 100)
    path.write_bytes(data)
    with (
        archive.open_files(path) as files,
        pytest.raises(UserError, match=r"a\.jpg: cannot be read \(Bad CRC-32"),
    ):
        archive.read(files, "a.jpg", max_bytes=1000)


def test_changed_byte_fails_the_crc(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a.jpg": bytes(5000)})
    data = bytearray(path.read_bytes())
    data[2000] = 1
    path.write_bytes(data)
    with (
        archive.open_files(path) as files,
        pytest.raises(UserError, match=r"a\.jpg: cannot be read \(Bad CRC-32"),
    ):
        archive.read(files, "a.jpg", max_bytes=5000)


# Image files


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_gray_faces_are_read_as_they_are(kind):
    face = noise(48, 48)
    image, converted = image_files.decode(encoded(face, kind))
    assert np.array_equal(image, face)
    assert converted is None


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA"])
def test_gray_saved_in_color_keeps_its_levels(mode):
    face = noise(48, 48)
    image, converted = image_files.decode(encoded(face, mode=mode))
    assert np.array_equal(image, face)
    assert converted == mode


def test_color_becomes_luma():
    """ITU-R 601: 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2."""
    color = np.broadcast_to(np.array([200, 100, 50], np.uint8), (48, 48, 3))
    image, converted = image_files.decode(encoded(np.ascontiguousarray(color)))
    assert (image == 124).all()
    assert converted == "RGB"


def test_16_bit_gray_is_scaled_and_not_clipped():
    """Level v of 255 is 257 v of 65,535."""
    face = noise(48, 48)
    image, converted = image_files.decode(encoded(face.astype(np.uint16) * 257))
    assert np.array_equal(image, face)
    assert converted.startswith("I")


@pytest.mark.parametrize(("factor", "bits"), [(1, 8), (16, 12)])
def test_16_bit_gray_with_levels_of_fewer_bits_is_not_black(factor, bits):
    """Level v of 255 is v of 8 bits and 16 v of 12 bits."""
    face = noise(48, 48)
    image, converted = image_files.decode(encoded(face.astype(np.uint16) * factor))
    assert np.array_equal(image, face)
    assert converted == f"I;16 of {bits} bits"


def test_a_black_16_bit_image_stays_black():
    assert not image_files.decode(encoded(np.zeros((48, 48), np.uint16)))[0].any()


@pytest.mark.parametrize(("factor", "is_read"), [(16, False), (257, True)])
def test_16_bit_color_of_12_bits_is_refused(factor, is_read):
    """Pillow would read it as black."""
    data = png_16_bit_color(noise(48, 48).astype(np.uint16) * factor)
    if is_read:
        assert np.array_equal(image_files.decode(data)[0], noise(48, 48))
        return
    with pytest.raises(ValueError, match="16-bit color with levels of 12 bits or less"):
        image_files.decode(data)


def png_16_bit_color(levels):
    """A PNG of 16 bits a channel, red = green = blue = levels [H, W] uint16."""

    def chunk(kind, data):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    height, width = levels.shape
    rows = np.repeat(levels[..., None], 3, axis=2).astype(">u2")
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


# How a camera's picture that is stored so is brought upright: EXIF 2.3, tag 0x0112.
UPRIGHT = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.T,
    6: lambda stored: np.rot90(stored, -1),  # a quarter clockwise
    7: lambda stored: stored[::-1, ::-1].T,
    8: lambda stored: np.rot90(stored),
}


def with_orientation(stored, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = io.BytesIO()
    Image.fromarray(stored).save(data, kind, exif=exif)
    return data.getvalue()


@pytest.mark.parametrize("orientation", list(UPRIGHT))
def test_faces_are_turned_upright(orientation):
    stored = noise(48, 48)
    image, converted = image_files.decode(with_orientation(stored, "PNG", orientation))
    assert np.array_equal(image, UPRIGHT[orientation](stored))
    assert converted == "turned"


def test_a_turned_photograph_is_the_upright_one():
    """A smooth picture, so that JPEG changes it little; sideways it is 40 levels off."""
    upright = np.add.outer(np.arange(96) * 2.0, np.arange(96) * 0.5).astype(np.uint8)
    data = with_orientation(np.ascontiguousarray(np.rot90(upright)), "JPEG", 6)
    image, converted = image_files.decode(data)
    plain, _ = image_files.decode(encoded(upright))
    assert np.abs(image.astype(int) - plain).mean() < 1
    assert converted == "96x96 turned"


@pytest.mark.parametrize("orientation", [0, 1, 9, 300])
def test_other_orientations_change_nothing(orientation):
    data = with_orientation(noise(48, 48), "PNG", orientation)
    image, converted = image_files.decode(data)
    assert np.array_equal(image, noise(48, 48))
    assert converted is None


def test_larger_faces_are_resampled_with_antialiasing():
    """A checkerboard of single pixels averages to gray; without antialiasing it stays black."""
    board = np.indices((96, 96)).sum(axis=0) % 2 * 255
    image, converted = image_files.decode(encoded(board.astype(np.uint8)))
    assert np.abs(image[4:-4, 4:-4].astype(int) - 127).max() <= 2
    assert converted == "96x96"


def test_oblong_faces_are_cut_to_the_central_square():
    face = np.zeros((48, 80), np.uint8)
    face[:, 16:64] = noise(48, 48)
    image, converted = image_files.decode(encoded(face))
    assert np.array_equal(image, face[:, 16:64])
    assert converted == "80x48"


def test_size_and_mode_are_counted_together():
    assert image_files.decode(encoded(noise(96, 96, 3)))[1] == "RGB 96x96"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_cut_image(kind):
    data = encoded(noise(48, 48), kind)
    with pytest.raises(ValueError, match="is not a readable image"):
        image_files.decode(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", b"hello", b"GIF89a" + bytes(100)])
def test_not_an_image(data):
    with pytest.raises(ValueError, match="is not an image"):
        image_files.decode(data)


@pytest.mark.parametrize("side", [5000, 60_000])
def test_pixel_bomb(side):
    """Only the header says so: 60,000 squared is beyond Pillow's own limit, 5,000 beyond ours."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    png = (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )
    empty = b"IDAT"
    png += struct.pack(">I", 0) + empty + struct.pack(">I", zlib.crc32(empty))
    with pytest.raises(ValueError, match=r"5000x5000 pixels|decompression bomb"):
        image_files.decode(png)


# Pixels of a CSV


def test_pixels_are_rows_of_levels():
    face = noise(48, 48)
    text = " ".join(map(str, face.ravel().tolist()))
    assert np.array_equal(csv_files.parse_pixels(text), face)
    assert np.array_equal(csv_files.parse_pixels(f"  {text.replace(' ', '  ')} "), face)


@pytest.mark.parametrize("word", ["256", "-1", "1.0", "x", "1e2", "\u0663", "1_0", "007", "nan"])
def test_pixels_that_are_no_levels(word):
    with pytest.raises(ValueError, match="expected integers 0 to 255"):
        csv_files.parse_pixels(" ".join([word] + ["0"] * 2303))


@pytest.mark.parametrize("count", [0, 1, 2303, 2305])
def test_wrong_number_of_pixels(count):
    with pytest.raises(ValueError, match=f"{count} pixels; expected 2304"):
        csv_files.parse_pixels(" ".join(["0"] * count))
