"""Reading untrusted images; writing the same bytes."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ffngen.errors import InputFileError
from ffngen.images import encode_jpeg, encode_png, image_size, read_image


def picture(height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_png_is_lossless_and_the_same_bytes(tmp_path: Path) -> None:
    image = picture()
    (tmp_path / "a.png").write_bytes(encode_png(image))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), image)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], image)
    assert encode_png(image) == encode_png(image.copy())
    assert image_size(tmp_path / "a.png") == (30, 20)


def test_jpeg_keeps_colour_at_full_resolution(tmp_path: Path) -> None:
    image = np.zeros((32, 32, 3), dtype=np.uint8)
    image[:, ::2, 0] = 255  # red lines one pixel wide: 4:2:0 would smear them
    (tmp_path / "a.jpg").write_bytes(encode_jpeg(image))
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - image).max() < 30
    assert encode_jpeg(image) == encode_jpeg(image.copy())
    assert len(encode_jpeg(image, quality=50)) < len(encode_jpeg(image))


def test_orientation_is_applied(tmp_path: Path) -> None:
    image = picture()
    exif = Image.Exif()
    exif[0x0112] = 6  # stored rotated by 90 degrees
    Image.fromarray(image).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(image, -1))


def test_other_modes(tmp_path: Path) -> None:
    grey16 = (np.arange(600, dtype=np.uint16) * 109).reshape(20, 30)
    Image.fromarray(grey16).save(tmp_path / "g.png")
    np.testing.assert_array_equal(read_image(tmp_path / "g.png")[..., 1], np.round(grey16 / 257).astype(np.uint8))

    rgba = np.dstack([picture(), np.full((20, 30), 0, np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "t.png")
    assert (read_image(tmp_path / "t.png") == 255).all()

    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "c.jpg")
    assert np.abs(read_image(tmp_path / "c.jpg").astype(int) - [255, 0, 0]).max() < 12

    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "m.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(tmp_path / "m.gif")[0, 0], [255, 0, 0])

    cv2.imwrite(str(tmp_path / "w.png"), (picture().astype(np.uint16) * 257)[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "w.png"), picture())


def bomb() -> bytes:
    """A PNG whose header claims 100,000 x 100,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))


def large() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (8200, 8200)).save(buffer, format="PNG")
    return buffer.getvalue()


def floating() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ones((4, 4), np.float32)).save(buffer, format="TIFF")
    return buffer.getvalue()


MALFORMED = {
    "empty": b"",
    "text": b"hello, I am no picture\n" * 10,
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n",
    "truncated png": encode_png(picture(200, 300))[:5000],
    "truncated jpg": encode_jpeg(picture(200, 300))[:5000],
    "bomb": bomb(),
    "too large": large(),
    "floating point": floating(),
    "damaged png": encode_png(picture())[:40] + b"\0" * 200,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_is_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(MALFORMED[name])
    with pytest.raises(InputFileError) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(InputFileError):
            read_image(path)
        with pytest.raises(InputFileError):
            image_size(path)


def test_wrong_arrays_are_bugs() -> None:
    with pytest.raises(ValueError, match="uint8"):
        encode_png(np.zeros((4, 4, 3), np.float32))  # type: ignore[arg-type]
