"""The lens that a photo was taken with, as its EXIF data state it."""

from __future__ import annotations

import warnings
from math import hypot
from pathlib import Path

from PIL import ExifTags, Image

from ffngen.images import FORMATS

#: Millimetres: the diagonal of 35 mm film's frame, by which lenses of other sensors are compared with it (CIPA DC-008).
_DIAGONAL = hypot(36, 24)
#: Beyond these a number in EXIF data is none of a lens.
_SHORTEST, _LONGEST = 5.0, 3000.0
#: How much the aspect of the picture that was taken and of the file may differ, before the file must be a part of it.
_ASPECT_TOLERANCE = 0.02


def photo_focal(path: Path, size: tuple[int, int]) -> float | None:
    """A photo's focal length in its pixels, or None where it does not say.

    A photo that was scaled keeps its angle of view. One that was cut to another aspect does not, and says nothing.

    :param size: width and height of the picture as it is read, pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                exif = image.getexif().get_ifd(ExifTags.IFD.Exif)
        equivalent = float(exif.get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
        taken = [float(exif.get(tag, 0)) for tag in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)]
    except Exception:  # the parser raises whatever damaged EXIF data lead it to; the picture may still be good
        return None
    if not _SHORTEST <= equivalent <= _LONGEST:
        return None
    # Turned or not: EXIF counts before the orientation is applied.
    if min(taken) > 0 and abs(max(taken) / min(taken) * min(size) / max(size) - 1) > _ASPECT_TOLERANCE:
        return None
    return equivalent / _DIAGONAL * hypot(*size)
