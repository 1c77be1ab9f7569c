"""Photos and videos to fit, by person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    :param root: the folder that names of pictures are told from; None for the files' own names.
    """

    identity: str
    files: tuple[Path, ...]
    video: VideoFacts | None = None
    root: Path | None = None

    @property
    def count(self) -> int | None:
        """How many pictures there are; of a video what its header says, or None."""
        return len(self.files) if self.video is None else self.video.count

    @property
    def track(self) -> str | None:
        """The video's name, without its suffix; None for photos."""
        return None if self.video is None else self._name(self.files[0]).with_suffix("").as_posix()

    def image_of(self, number: int) -> str:
        """The name of the person's picture of a number: a photo's file, or a video's frame as a file would be named."""
        return self._name(self.files[number]).as_posix() if self.video is None else f"{self.track}/{number:06d}.jpg"

    def _name(self, file: Path) -> Path:
        return Path(file.name) if self.root is None else file.relative_to(self.root)

    def focal(self, number: int, size: tuple[int, int]) -> float | None:
        """The focal length of a picture in its pixels, where a photo's EXIF data say it.

        :param number: of the picture among the person's.
        :param size: its width and height, pixels.
        """
        return None if self.video is not None else photo_focal(self.files[number], size)

    def read(self) -> Iterator[tuple[str, Rgb | InputFileError]]:
        """Each picture's name and the picture, or why it cannot be read; a video ends where it is damaged."""
        if self.video is not None:
            number = 0
            try:
                for number, image in enumerate(read_video(self.files[0], self.video.size)):
                    yield f"{self.files[0]} frame {number}", image
            except InputFileError as error:
                yield str(self.files[0]), error
            return
        for path in self.files:
            try:
                if is_video(path):
                    # Its header was not to be read.
                    video_facts(path)
                yield str(path), read_image(path)
            except InputFileError as error:
                yield str(path), error


def open_footage(source: Path, *, same_person: bool = False) -> list[Footage]:
    """The people of a photo, a video, or a folder of these.

    Each photo that lies in the folder itself is a person of its own, unless they are said to be one; each video is a
    person, and so is each folder in it, with all photos below it. Links to folders are not followed.

    :param same_person: the folder's photos and videos show one person.
    :raises InputFileError: there is nothing of the kind.
    """
    if not source.exists():
        raise InputFileError("no such file or folder", where=source)
    if not source.is_dir():
        return _people([source], source.stem, None)
    inside = _pictures_in(source.iterdir())
    if same_person:
        people = _people(inside, source.resolve().name, source)
    else:
        people = [one for path in inside for one in _people([path], _unique(path, inside), source)]
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and not path.is_symlink()):
        if not folder.name.startswith("."):
            # A folder's name has no suffix; a photo beside it that is called so is known by its own.
            people += _people(_pictures_in(folder.rglob("*")), folder.name, source)
    if not people:
        raise InputFileError("no photos and no videos in it", where=source, mend="give .jpg, .png or .mp4 files")
    return people


def _people(files: Sequence[Path], name: str, root: Path | None) -> list[Footage]:
    """One person's photos, and each of the person's videos."""
    videos = {path: _facts(path, alone=root is None) for path in files if is_video(path)}
    photos = tuple(path for path in files if videos.get(path) is None)
    people = [Footage(name, photos, root=root)] if photos else []
    return people + [Footage(name, (path,), facts, root) for path, facts in videos.items() if facts is not None]


def _facts(path: Path, *, alone: bool) -> VideoFacts | None:
    """What a video's header says; None for one of many that cannot be read."""
    try:
        return video_facts(path)
    except InputFileError:
        if alone:
            raise
        return None


def _unique(path: Path, others: Sequence[Path]) -> str:
    """Whose picture a file of a folder is: its name without the suffix, unless something else there is called so."""
    same = [other for other in others if other.stem == path.stem]
    return path.name if len(same) > 1 or path.with_suffix("").is_dir() else path.stem


def _pictures_in(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if _is_picture(path))


def _is_picture(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and (path.suffix.lower() in SUFFIXES or is_video(path))
