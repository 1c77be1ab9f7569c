"""Which people a photo, a folder or a video shows."""

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from ffngen.errors import InputFileError
from ffngen.fit.footage import open_footage


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(path, np.full((20, 30, 3), 90, np.uint8))
    return path


def people(source: Path, same_person: bool = False) -> list[tuple[str, list[str]]]:
    return [(one.identity, [path.name for path in one.files]) for one in open_footage(source, same_person=same_person)]


def test_a_photo(tmp_path: Path) -> None:
    assert people(photo(tmp_path / "me.png")) == [("me", ["me.png"])]


def test_a_folder_of_photos_and_of_people(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", ".hidden.png", "ann/1.png", "ann/more/2.png", "bob/1.png", "notes.txt"):
        photo(tmp_path / name) if not name.endswith("txt") else (tmp_path / name).write_text("no picture")
    assert people(tmp_path) == [
        ("a", ["a.jpg"]),
        ("b", ["b.png"]),
        ("ann", ["1.png", "2.png"]),
        ("bob", ["1.png"]),
    ]
    assert people(tmp_path, same_person=True)[0] == (tmp_path.name, ["a.jpg", "b.png"])


def test_nothing_to_fit(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no photos and no videos"):
        open_footage(tmp_path)
    with pytest.raises(InputFileError, match="no such file"):
        open_footage(tmp_path / "missing.png")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(InputFileError):
        open_footage(tmp_path / "broken.mp4")


def test_a_damaged_photo_is_told_not_raised(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"\x89PNG no more")
    pictures = [picture for one in open_footage(tmp_path) for _, picture in one.read()]
    assert isinstance(pictures[0], np.ndarray)
    assert isinstance(pictures[1], InputFileError)
