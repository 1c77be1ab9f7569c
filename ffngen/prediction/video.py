"""Videos, read and written by FFmpeg in a process of its own: a damaged or hostile file cannot take ours down."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import file_size
from ffngen.errors import InputFileError, MissingPackageError
from ffngen.images import MAX_PIXELS

Rgb = NDArray[np.uint8]

SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"})

#: FFmpeg opens other files and addresses that a file names, unless it is told not to.
_LOCAL_ONLY = ["-protocol_whitelist", "file,pipe"]


@dataclass(frozen=True)
class VideoFacts:
    """What a video's header says: (width, height) as shown, frames a second, and frames, where it tells."""

    size: tuple[int, int]
    rate: float
    count: int | None


def is_video(path: Path) -> bool:
    """Whether a file's name is a video's."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def video_facts(path: Path) -> VideoFacts:
    """Read a video's header.

    :raises InputFileError: it is no video that FFmpeg reads, or too large.
    """
    file_size(path)
    try:
        with closing(_ffmpeg().read_frames(str(path), input_params=_LOCAL_ONLY)) as reader:
            facts = next(reader)
    except MissingPackageError:
        raise
    except Exception as error:  # FFmpeg's own words, as whatever the package makes of them
        raise InputFileError("not a video that FFmpeg reads", where=path) from error
    width, height = facts["size"]
    if not 0 < width * height <= MAX_PIXELS:
        raise InputFileError(f"a video of {width} x {height} pixels", where=path, mend="that is no usable size")
    rate = float(facts.get("fps") or 0)
    frames = rate * float(facts.get("duration") or 0)
    usable = math.isfinite(frames) and frames >= 1
    return VideoFacts(
        (width, height), rate if math.isfinite(rate) and rate > 0 else 25.0, round(frames) if usable else None
    )


def read_video(path: Path, size: tuple[int, int], first: int = 0) -> Iterator[Rgb]:
    """The frames (H, W, 3) uint8 RGB of a video from the ``first`` on; raises :class:`InputFileError`."""
    number = 0
    try:
        with closing(_ffmpeg().read_frames(str(path), input_params=_LOCAL_ONLY)) as reader:
            next(reader)
            for data in reader:
                if number >= first:
                    yield np.frombuffer(data, np.uint8).reshape(size[1], size[0], 3)
                number += 1
    except (OSError, RuntimeError, ValueError, IndexError) as error:
        raise InputFileError(f"cannot be decoded after frame {number}", where=path) from error


class VideoWriter:
    """Writes H.264 in yuv420p, which every player plays; enter it, then call it with each frame.

    :param path: an .mp4 file.
    :param rate: frames a second.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self._path = path
        self._rate = rate
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, frame: Rgb) -> None:
        """Add a frame (H, W, 3) uint8 RGB; all have one size."""
        height, width = (side + side % 2 for side in frame.shape[:2])
        even = np.zeros((height, width, 3), dtype=np.uint8)
        even[: frame.shape[0], : frame.shape[1]] = frame
        if self._writer is None:
            self._writer = _ffmpeg().write_frames(
                str(self._path), (width, height), fps=self._rate, codec="libx264", quality=8, macro_block_size=2
            )
            self._writer.send(None)
        self._writer.send(even)

    def __exit__(self, *exception: object) -> None:
        if self._writer is not None:
            self._writer.close()


def _ffmpeg() -> Any:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise MissingPackageError("videos need imageio-ffmpeg", mend='pip install "ffngen[train]"') from error
    return imageio_ffmpeg
