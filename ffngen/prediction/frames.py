"""The frames to estimate flow between: image files, a folder of them, or a video."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.folders import image_files
from ffngen.errors import InputFileError
from ffngen.images import image_size, read_image
from ffngen.prediction.video import is_video, read_video, video_facts

Rgb = NDArray[np.uint8]

#: Frames a second of a side-by-side video of images, which have no rate of their own.
_IMAGES_PER_SECOND = 10.0


@dataclass(frozen=True)
class Frames:
    """A sequence of frames of one size.

    :param files: image files in order; or one video.
    :param count: how many frames there are; for a video what its header says, or None.
    :param size: (width, height), pixels.
    :param rate: frames a second.
    """

    files: tuple[Path, ...]
    count: int | None
    size: tuple[int, int]
    rate: float

    @property
    def is_video(self) -> bool:
        """Whether the frames are a video's."""
        return is_video(self.files[0])

    def read(self, first: int = 0) -> Iterator[Rgb]:
        """The frames (H, W, 3) uint8 RGB from the ``first`` on, counted from 0.

        :raises InputFileError: a frame cannot be read, or has another size than the first one.
        """
        if self.is_video:
            yield from read_video(self.files[0], self.size, first)
            return
        for path in self.files[first:]:
            image = read_image(path)
            if image.shape[1::-1] != self.size:
                what = (
                    f"{image.shape[1]} x {image.shape[0]} pixels, the first frame has {self.size[0]} x {self.size[1]}"
                )
                raise InputFileError(what, where=path, mend="give frames of one size")
            yield image


def open_frames(paths: Sequence[Path]) -> Frames:
    """The frames of some paths: at least two image files, or one folder, or one video.

    Files of a folder are taken in the order of the numbers in their names.

    :raises InputFileError: a path is missing or of another kind, or there are fewer than two frames.
    """
    for path in paths:
        if not path.exists():
            raise InputFileError("no such file or folder", where=path)
    if len(paths) == 1 and is_video(paths[0]):
        facts = video_facts(paths[0])
        return Frames((paths[0],), facts.count, facts.size, facts.rate)
    files = tuple(paths)
    if len(paths) == 1 and paths[0].is_dir():
        files = tuple(sorted(image_files(paths[0], "frames"), key=_natural))
    odd = next((path for path in files if path.is_dir() or is_video(path)), None)
    if odd is not None:
        raise InputFileError("stands among several paths", where=odd, mend="name one video, one folder, or image files")
    if len(files) < 2:
        raise InputFileError("one frame has no motion", where=files[0], mend="give two or more")
    return Frames(files, len(files), image_size(files[0]), _IMAGES_PER_SECOND)


def _natural(path: Path) -> list[tuple[int, str]]:
    """A key that sorts frame2 before frame10."""
    parts = re.findall(r"\d{1,18}|\D+", path.name)
    return [(int(part), "") if part.isdigit() and part.isascii() else (-1, part) for part in parts]
