"""Focal lengths from EXIF data, against the angle of view of 35 mm film."""

from __future__ import annotations

from math import degrees, hypot, tan
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from ffngen.fit.photo_lens import photo_focal


def photo(path: Path, size: tuple[int, int], **tags: object) -> Path:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif).update({ExifTags.Base[name].value: value for name, value in tags.items()})
    Image.new("RGB", size).save(path, exif=exif)
    return path


def test_a_full_frame_sees_what_film_would(tmp_path: Path) -> None:
    """50 mm before 36 x 24 mm: 39.6 degrees across, in whatever resolution, upright or not."""
    for size in ((3600, 2400), (360, 240), (240, 360)):
        focal = photo_focal(photo(tmp_path / "a.jpg", size, FocalLengthIn35mmFilm=50), size)
        assert focal is not None
        assert degrees(2 * np.arctan(max(size) / 2 / focal)) == pytest.approx(39.6, abs=0.01)


def test_other_sensors_are_compared_by_the_diagonal(tmp_path: Path) -> None:
    """A telephone's 4 : 3."""
    size = (400, 300)
    focal = photo_focal(photo(tmp_path / "a.jpg", size, FocalLengthIn35mmFilm=26, ExifImageWidth=4000,
                              ExifImageHeight=3000), size)  # fmt: skip
    assert focal == pytest.approx(250 / tan(np.arctan(hypot(36, 24) / 2 / 26)))


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"FocalLengthIn35mmFilm": 0},
        {"FocalLengthIn35mmFilm": 60000},
        # Cut to a square.
        {"FocalLengthIn35mmFilm": 50, "ExifImageWidth": 6000, "ExifImageHeight": 4000},
        {"FocalLengthIn35mmFilm": "wide"},
    ],
)
def test_photos_that_do_not_say(tags: dict[str, object], tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg", (300, 300), **tags)
    assert photo_focal(path, (300, 300)) is None


def test_damaged_data(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg", (60, 40), FocalLengthIn35mmFilm=50)
    data = path.read_bytes()
    at = data.index(b"Exif\0\0") + 6
    for start in range(at, at + 60, 3):
        (tmp_path / "b.jpg").write_bytes(data[:start] + b"\xff\xff\xff" + data[start + 3 :])
        focal = photo_focal(tmp_path / "b.jpg", (60, 40))
        assert focal is None or focal > 0
