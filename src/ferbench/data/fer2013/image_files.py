"""FER2013 as image files: which split and class a path means, and its pixels."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from ferbench.classes import CLASSES, IMAGE_PX, SPLITS
from ferbench.data.fer2013 import archive, class_names
from ferbench.data.fer2013.archive import Files, Record, refusal

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
UNREAD = (".gif", ".tif", ".tiff", ".webp", ".heic", ".avif", ".jfif", ".jp2", ".pgm", ".ppm")
MAX_SIDE_PX = 4096
ORIENTATION = 0x0112  # the EXIF tag

_FORMATS = ("JPEG", "PNG", "BMP")
_DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BITS = {8: 1, 12: 16, 16: 257}  # of gray levels: what one of 255 levels is in them
_TEST = "test"  # a folder of both test splits: the file names tell which
_SPLIT_FOLDERS = (
    dict.fromkeys(("train", "training"), "train")
    | dict.fromkeys(("public", "publictest", "public_test"), "public")
    | dict.fromkeys(("val", "valid", "validation"), "public")
    | dict.fromkeys(("private", "privatetest", "private_test"), "private")
    | dict.fromkeys(("test", "testing"), _TEST)
)
_PREFIXES = {"training": "train", "publictest": "public", "privatetest": "private"}
_PREFIX = re.compile("(training|publictest|privatetest)(?![a-z])", re.IGNORECASE)
_HELD_OUT_NAME = re.compile("/(publictest|privatetest)(?![a-z])[^/]*$", re.IGNORECASE)


@dataclass(frozen=True)
class Member:
    """A file of the layout <top>/<split>/<emotion>/<file>; `path` leads to it in the source."""

    path: str
    split: str
    label: int
    name: str


@dataclass(frozen=True)
class Layout:
    """The images of a source by split, class and name.

    outside: paths of images elsewhere; others: of the files that are no images.
    """

    members: list[Member]
    outside: list[str]
    others: list[str]


def find_layout(files: Files, *, split_held_out: bool = False) -> Layout | None:
    """The image files in <split>/<emotion>/ folders, at any one depth; None if there are none.

    Folders tell the class, by name and never by order; the split is told by the folder, and
    within `test` by the prefix PublicTest or PrivateTest of the file's name. Files that are no
    images by their name are passed over. split_held_out: a `test` folder where no name has such a
    prefix is one split ("private"), which the caller divides.
    Raises UserError for an unknown class, an image of a format that is not read, a split that
    cannot be told, and two copies of the layout in one source.
    """
    pictures = [path for path in files.names if path.lower().endswith(SUFFIXES + UNREAD)]
    inside = [path for path in pictures if _split_depth(path) is not None]
    if not inside:
        return None
    tops = sorted({_top(path) for path in inside})
    if len(tops) > 1:
        both = " and ".join(f"'{top or '.'}'" for top in tops[:2])
        raise refusal(files.source, f"train and test folders in {both}; expected one set of them")
    split_folders = {path.removeprefix(tops[0]).split("/")[0].lower() for path in inside}
    is_private = any(_SPLIT_FOLDERS[folder] == "public" for folder in split_folders) or (
        split_held_out and not any(_HELD_OUT_NAME.search(path) for path in inside)
    )
    members = [_member(files.source, path, tops[0], is_private) for path in inside]
    members.sort(key=lambda member: (SPLITS.index(member.split), member.label, member.name))
    known = set(inside)
    outside = [path for path in files.names if path not in known and _is_image(path)]
    others = [path for path in files.names if path not in known and not _is_image(path)]
    return Layout(members, outside, others)


def records(files: Files, members: list[Member]) -> Iterator[Record]:
    """The members' faces in order; UserError at the first that cannot be read, naming it."""
    for member in members:
        data = archive.read(files, member.path, max_bytes=archive.MAX_IMAGE_BYTES)
        try:
            image, converted = decode(data)
        except ValueError as error:
            text = f"{member.path}: {error}; expected a face of {IMAGE_PX}x{IMAGE_PX} pixels"
            raise refusal(files.source, text) from error
        yield Record(member.split, member.label, member.name, image, converted)


@dataclass(frozen=True)
class GrayImage:
    """The picture in a file as 8-bit gray, upright.

    pixels: of mode L, of its own size. mode: Pillow's name of the mode that the file had, with its
    levels where it has 16 bits and does not use them; "" for 8-bit gray. size: width and height in
    the file. turned: whether its EXIF orientation was another than upright.
    """

    pixels: Image.Image
    mode: str
    size: tuple[int, int]
    turned: bool

    def converted(self, px: int) -> str | None:
        """What was converted to get gray squares of px pixels a side, or None."""
        other_size = "" if self.size == (px, px) else f"{self.size[0]}x{self.size[1]}"
        kinds = [self.mode, other_size, "turned" if self.turned else ""]
        return " ".join(filter(None, kinds)) or None

    def square(self, px: int) -> np.ndarray:
        """[px, px] uint8: cut to a centered square and resampled with antialiasing (Lanczos)."""
        if self.pixels.size == (px, px):
            return np.asarray(self.pixels)
        return np.asarray(ImageOps.fit(self.pixels, (px, px), Image.Resampling.LANCZOS))


def decode(data: bytes) -> tuple[np.ndarray, str | None]:
    """The face in a JPEG, PNG or BMP file: ([48, 48] uint8, what was converted or None).

    Errors as of `gray_image`.
    """
    image = gray_image(data)
    return image.square(IMAGE_PX), image.converted(IMAGE_PX)


def gray_image(data: bytes) -> GrayImage:
    """The picture in a JPEG, PNG or BMP file, gray and upright.

    One that lies or is mirrored by its EXIF orientation is turned upright. Colors become luma
    (ITU-R 601-2). 16-bit gray is scaled to 8 bits by the levels in use: if none is over 255, they
    are of 8 bits, if none is over 4,095, of 12 bits, else of 16; a face that is darker than a
    sixteenth of full white all over would be taken for one of fewer bits.
    Raises ValueError with the reason if the bytes are no image, cut short, over 4096 pixels wide,
    or 16-bit color with levels of 12 bits or less (Pillow keeps the upper 8 bits alone).
    """
    with _opened(data) as image:
        deep = "16" in str(image.tile[0].args) if image.tile else False
        image.load()
        if deep and not image.mode.startswith("I") and _is_dark(image):
            raise ValueError("16-bit color with levels of 12 bits or less")
        gray, bits = _gray(image)
        mode = "" if image.mode == "L" else image.mode
        mode += f" of {bits} bits" if bits < 16 else ""
        transpose = _UPRIGHT.get(_orientation(image))
        upright = gray if transpose is None else gray.transpose(transpose)
        return GrayImage(upright, mode, image.size, turned=transpose is not None)


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height of the picture in a file, from its header; errors as of `gray_image`."""
    with _opened(data) as image:
        return image.size


@contextmanager
def _opened(data: bytes) -> Iterator[ImageFile.ImageFile]:
    """The picture in a file, not decoded yet; what is wrong with its bytes is a ValueError."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                if max(image.size) > MAX_SIDE_PX:
                    raise ValueError(f"{image.width}x{image.height} pixels")
                yield image
        except UnidentifiedImageError:
            raise ValueError("is not an image") from None
        except _DECODE_ERRORS as error:
            raise ValueError(f"is not a readable image ({error})") from error


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) where there is none that can be read."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except _DECODE_ERRORS:
        return 1
    return value if isinstance(value, int) else 1


def _is_dark(image: Image.Image) -> bool:
    """Whether no color level is over 15 of 255: what is left of 12 bits in 16."""
    return bool(np.asarray(image)[..., : 1 if image.mode == "LA" else 3].max() <= 15)


def _gray(image: Image.Image) -> tuple[Image.Image, int]:
    """8-bit gray, and how many of 16 bits were in use (16 too for images of 8 bits).

    Pillow itself would clip 16-bit values at 255.
    """
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.int64)
        if levels.min() < 0 or levels.max() > 65535:
            raise ValueError(f"gray levels {levels.min()} to {levels.max()}")
        bits = next(bits for bits in _BITS if levels.max() < 2**bits)
        return Image.fromarray((levels // _BITS[bits]).astype(np.uint8)), bits
    return image.convert("L"), 16


def _split_depth(path: str) -> int | None:
    """Position of the split's folder in the path: the last folder named like a split."""
    folders = path.lower().split("/")[:-1]
    return max((i for i, part in enumerate(folders) if part in _SPLIT_FOLDERS), default=None)


def _top(path: str) -> str:
    """What stands before the split's folder, with its last "/"."""
    return "".join(f"{part}/" for part in path.split("/")[: _split_depth(path)])


def _is_image(path: str) -> bool:
    return path.lower().endswith(SUFFIXES)


def _member(source: Path, path: str, top: str, is_private: bool) -> Member:
    """The file as a member of the layout; is_private: what a file of `test` without prefix is."""
    name = path.removeprefix(top)
    parts = name.split("/")
    if not _is_image(path):
        raise refusal(source, f"{path}: is not an image; expected {', '.join(SUFFIXES)} files")
    if len(parts) != 3:
        raise refusal(source, f"{path}: expected images in {parts[0]}/<emotion>/ and no deeper")
    if parts[1].lower() not in class_names.LABELS:
        text = f"unknown class folder '{top}{parts[0]}/{parts[1]}'; expected {', '.join(CLASSES)}"
        raise refusal(source, text)
    split = _split(source, path, _SPLIT_FOLDERS[parts[0].lower()], parts[2], is_private)
    return Member(path, split, class_names.LABELS[parts[1].lower()], archive.printable(name))


def _split(source: Path, path: str, folder: str, file: str, is_private: bool) -> str:
    """The split of a file: its prefix where it has one, which must agree with its folder."""
    match = _PREFIX.match(file)
    by_name = _PREFIXES[match[1].lower()] if match else None
    allowed = ("public", "private") if folder == _TEST else (folder,)
    if by_name is None and folder == _TEST:
        if is_private:
            return "private"
        text = "PublicTest or PrivateTest? expected file names PublicTest_<id>, PrivateTest_<id>"
        ways = "folders public/ and private/, or split_held_out=true, which divides the folder"
        raise refusal(source, f"{path}: {text}, {ways}")
    if by_name is not None and by_name not in allowed:
        raise refusal(source, f"{path}: the name says {by_name}; expected what its folder says")
    return by_name or folder
