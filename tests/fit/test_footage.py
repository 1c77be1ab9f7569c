"""Which people a photo, a folder or a video shows."""

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from ffngen.errors import InputFileError
from ffngen.fit.footage import open_footage
from ffngen.prediction.video import VideoWriter


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


def video(path: Path, frames: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 25.0) as write:
        for number in range(frames):
            write(np.full((32, 48, 3), 40 * number, np.uint8))
    return path


def test_people_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "b.png", "a/x.jpg", "c.jpg", "c/y.jpg"):
        photo(tmp_path / name)
    assert [name for name, _ in people(tmp_path)] == ["a.jpg", "a.png", "b", "c.jpg", "a", "c"]


def test_pictures_are_named_from_the_folder_on(tmp_path: Path) -> None:
    photo(tmp_path / "ann/1.jpg")
    for day in ("day1", "day2"):
        video(tmp_path / "ann" / day / "clip.mp4")
    photos, *videos = open_footage(tmp_path)
    assert photos.image_of(0) == "ann/1.jpg"
    assert (photos.track, *(one.track for one in videos)) == (None, "ann/day1/clip", "ann/day2/clip")
    assert videos[1].image_of(7) == "ann/day2/clip/000007.jpg"
    (alone,) = open_footage(tmp_path / "ann/day1/clip.mp4")
    assert (alone.identity, alone.track, alone.image_of(0)) == ("clip", "clip", "clip/000000.jpg")


def test_a_damaged_video_among_others_is_told_not_raised(tmp_path: Path) -> None:
    whole = video(tmp_path / "whole.mp4", 8)
    (tmp_path / "broken.mp4").write_bytes(whole.read_bytes()[:300])
    pictures = [picture for one in open_footage(tmp_path) for _, picture in one.read()]
    assert isinstance(pictures[0], InputFileError)
    assert sum(isinstance(picture, np.ndarray) for picture in pictures) == 8


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    photo(tmp_path / "in/a.png")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in", target_is_directory=True)
    assert people(tmp_path / "in") == [("a", ["a.png"])]
