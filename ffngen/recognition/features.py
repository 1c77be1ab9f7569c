"""All samples of a set as arrays that a classifier takes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.recognition.flows import FlowSource, Pictures
from ffngen.recognition.motion import face_planes, motion_planes
from ffngen.recognition.sample import Sample


@dataclass(frozen=True, eq=False)
class Features:
    """N samples.

    :param motion: (N, 3, S, S) float32: u and v in shares of the picture's width, and strain.
    :param faces: (N, 3, F, F) float32: the onset in 0..1.
    :param labels: (N,) int64: class numbers.
    :param people: each sample's subject, as ``dataset/subject``.
    :param keys: each sample's name.
    """

    motion: NDArray[np.float32]
    faces: NDArray[np.float32]
    labels: NDArray[np.int64]
    people: tuple[str, ...]
    keys: tuple[str, ...]

    def digest(self) -> str:
        """A digest of everything that a classifier's training depends on here."""
        content = hashlib.sha256()
        for array in (self.motion, self.faces, self.labels):
            content.update(f"{array.shape} {array.dtype}".encode())
            content.update(np.ascontiguousarray(array).tobytes())
        content.update("\0".join((*self.people, *self.keys)).encode())
        return content.hexdigest()


def make_features(
    samples: Sequence[Sample],
    labels: Sequence[int],
    source: FlowSource,
    pictures: Pictures,
    *,
    size: int,
    face_size: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Features:
    """The features of samples.

    :raises FfngenError: a sample's flow or image cannot be had.
    """
    motion = np.empty((len(samples), 3, size, size), dtype=np.float32)
    faces = np.empty((len(samples), 3, face_size, face_size), dtype=np.float32)
    for place, sample in enumerate(samples):
        motion[place] = motion_planes(source(sample), size)
        faces[place] = face_planes(pictures.onset(sample), face_size)
        progress(place + 1, len(samples))
    people = tuple(sample.person for sample in samples)
    return Features(motion, faces, np.array(labels, dtype=np.int64), people, tuple(sample.key for sample in samples))
