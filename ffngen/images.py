"""Colour images: read from any source without trusting it, written to the same bytes every time."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ffngen.atomic import file_size
from ffngen.errors import FfngenError, InputFileError

#: Formats that Pillow decodes itself: none of them starts another program.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")

#: The largest image that is read, 8192 x 8192. Checked on the header, before anything is allocated.
MAX_PIXELS = 1 << 26

Rgb = NDArray[np.uint8]


def read_image(path: str | Path) -> Rgb:
    """Read an image file that nobody has checked.

    EXIF orientation is applied, transparency is laid over white, 16-bit grey is scaled to 8 bits, CMYK is
    converted, and an animation gives its first frame.

    :returns: (H, W, 3) uint8, sRGB.
    :raises InputFileError: the file is missing, truncated, too large, or no image that ffngen reads.
    """
    path = Path(path)
    file_size(path)
    return _decode(path, path)


def decode_image(data: bytes, where: str | Path) -> Rgb:
    """:func:`read_image` of an image file's bytes; ``where`` is what a message calls them."""
    return _decode(io.BytesIO(data), Path(where))


def _decode(source: Path | io.BytesIO, path: Path) -> Rgb:
    try:
        with warnings.catch_warnings():
            # Pillow warns of large images and of damaged metadata; the size is checked below.
            warnings.simplefilter("ignore")
            with Image.open(source, formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise InputFileError(f"an image of {width} x {height} pixels is too large", where=path)
                ImageOps.exif_transpose(image, in_place=True)
                return _to_rgb(image, path)
    except FfngenError:
        raise
    except Image.DecompressionBombError as error:
        raise InputFileError("an image of that many pixels is too large", where=path) from error
    except Exception as error:  # the decoders raise whatever a damaged file leads them to
        raise InputFileError(f"not an image that can be read: {error}", where=path) from error


def image_size(path: str | Path) -> tuple[int, int]:
    """The (width, height) that an image file's header states, in pixels; raises :class:`InputFileError`."""
    width, height, _ = image_header(path)
    return width, height


def image_header(path: str | Path) -> tuple[int, int, str]:
    """The width and the height, pixels, and Pillow's mode in an image file's header; raises :class:`InputFileError`."""
    file_size(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                return *image.size, image.mode
    except Exception as error:  # as in read_image
        raise InputFileError(f"not an image that can be read: {error}", where=path) from error


def _to_rgb(image: Image.Image, path: Path) -> Rgb:
    if image.mode == "F":
        raise InputFileError("a floating-point image holds no sRGB colours", where=path, mend="save it with 8 bits")
    if image.mode.startswith("I"):
        # Pillow would clip 16-bit grey at 255 instead of scaling it.
        grey = np.asarray(image).astype(np.int64)
        if grey.min() < 0 or grey.max() > 0xFFFF:
            raise InputFileError("an image of 32-bit integers", where=path, mend="save it with 8 or 16 bits")
        return np.repeat(((grey + 128) // 257).astype(np.uint8)[..., None], 3, axis=-1)
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return np.array(image.convert("RGB"))


def encode_jpeg(image: Rgb, quality: int = 95) -> bytes:
    """(H, W, 3) uint8 RGB as JPEG bytes, 4:4:4 (colour at full resolution), the same bytes every time."""
    return _encode(image, ".jpg", quality=quality, subsampling=0)


def encode_png(image: Rgb) -> bytes:
    """(H, W, 3) uint8 RGB as PNG bytes, the same bytes every time."""
    return _encode(image, ".png", compress_level=4)


def _encode(image: Rgb, extension: str, **options: Any) -> bytes:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"an image is (H, W, 3) uint8, not {image.shape} {image.dtype}")
    encoded: bytes = iio.imwrite("<bytes>", image, extension=extension, plugin="pillow", **options)
    return encoded
