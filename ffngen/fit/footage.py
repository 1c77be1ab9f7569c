"""Photos and videos to fit, by person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.folders import SUFFIXES
from ffngen.errors import InputFileError
from ffngen.fit.photo_lens import photo_focal
from ffngen.images import read_image
from ffngen.prediction.video import VideoFacts, is_video, read_video, video_facts

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Footage:
    """One person's pictures.

    :param identity: who it is.
    :param files: photos; or one video.
    :param video: what the video's header says, or None for photos.
    """

    identity: str
    files: tuple[Path, ...]
    video: VideoFacts | None = None

    @property
    def count(self) -> int | None:
        """How many pictures there are; of a video what its header says, or None."""
        return len(self.files) if self.video is None else self.video.count

    def focal(self, number: int, size: tuple[int, int]) -> float | None:
        """The focal length of a picture in its pixels, where a photo's EXIF data say it.

        :param number: of the picture among the person's.
        :param size: its width and height, pixels.
        """
        return None if self.video is not None else photo_focal(self.files[number], size)

    def read(self) -> Iterator[tuple[str, Rgb | InputFileError]]:
        """Each picture's name and the picture, or why it cannot be read."""
        if self.video is not None:
            for number, image in enumerate(read_video(self.files[0], self.video.size)):
                yield f"{self.files[0]} frame {number}", image
            return
        for path in self.files:
            try:
                yield str(path), read_image(path)
            except InputFileError as error:
                yield str(path), error


def open_footage(source: Path, *, same_person: bool = False) -> list[Footage]:
    """The people of a photo, a video, or a folder of these.

    Each photo that lies in the folder itself is a person of its own, unless they are said to be one; each video is a
    person, and so is each folder in it, with all photos below it.

    :param same_person: the folder's photos and videos show one person.
    :raises InputFileError: there is nothing of the kind.
    """
    if not source.exists():
        raise InputFileError("no such file or folder", where=source)
    if not source.is_dir():
        return _people([source], source.stem, same_person=True)
    people = _people(_pictures_in(source), source.resolve().name, same_person=same_person)
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith(".")):
        inside = [path for path in sorted(folder.rglob("*")) if _is_picture(path)]
        people += _people(inside, folder.name, same_person=True)
    if not people:
        raise InputFileError("no photos and no videos in it", where=source, mend="give .jpg, .png or .mp4 files")
    return people


def _people(files: Sequence[Path], name: str, *, same_person: bool) -> list[Footage]:
    photos = tuple(path for path in files if not is_video(path))
    people = []
    if photos:
        people = [Footage(name, photos)] if same_person else [Footage(path.stem, (path,)) for path in photos]
    for path in files:
        if is_video(path):
            people.append(Footage(name if same_person else path.stem, (path,), video_facts(path)))
    return people


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _is_picture(path))


def _is_picture(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and (path.suffix.lower() in SUFFIXES or is_video(path))
