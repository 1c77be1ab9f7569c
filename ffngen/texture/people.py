"""Which pictures show which person, and with which head and camera: from a tracker's files or from a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.folders import SUFFIXES
from ffngen.dataset.arrays import read_vertices
from ffngen.dataset.layout import DATASET_FILE, Output, Record, SequenceKey
from ffngen.dataset.metadata import SequenceMetadata, read_sequence
from ffngen.dataset.source_view import tracked_camera
from ffngen.errors import HeadModelError, InputFileError
from ffngen.head.model import HeadModel
from ffngen.images import read_image
from ffngen.motion.sequence import make_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.read import read_parameter_sets
from ffngen.params.source import check_fits
from ffngen.texture.view import View


@dataclass(frozen=True)
class Person:
    """One person's pictures, which are read when they are asked for.

    :param identity: who it is.
    :param neutral: (V, 3) float32, metres: the face without expression, in the head frame.
    :param photos: the files.
    :param load: reads one of them, with its camera and its head.
    """

    identity: str
    neutral: NDArray[np.float32]
    photos: tuple[Path, ...]
    load: Callable[[Path], View]


@dataclass(frozen=True)
class People:
    """All persons, by name, and the pictures that were found in folders and that nobody's parameters belong to."""

    persons: tuple[Person, ...]
    strangers: tuple[Path, ...]


def find_people(
    photos: Sequence[Path], params: Path, model: HeadModel, params_format: str | None = None, most_views: int = 12
) -> People:
    """Match pictures with heads.

    :param photos: files, and folders of which all pictures are taken.
    :param params: an ffngen dataset that the pictures lie in; or whatever
        :func:`ffngen.params.read.read_parameter_sets` reads. Its sets name their pictures; where only the names agree
        and not the folders, names count, and a set without a picture's name belongs to the picture named as its
        identity.
    :param most_views: pictures of a person of which as many are taken, evenly spaced.
    :raises InputFileError: a file that is no picture or that nothing belongs to, or parameters that cannot be read.
    :raises HeadModelError: the parameters are another model's.
    """
    files = _files(photos)
    given = {path for path in photos if not path.is_dir()}
    if (params / DATASET_FILE).is_file():
        return _in_dataset(params, files, model, most_views)
    sets = read_parameter_sets(params, params_format)
    by_picture = _Pictures(sets)
    found: dict[str, dict[Path, ParameterSet]] = {}
    strangers = []
    for path in files:
        one = by_picture.of(path)
        if one is None and path in given:
            what = f"{params} has no parameters of this picture"
            raise InputFileError(what, where=path, mend="fit them with ffngen params fit, or give the picture's folder")
        if one is None:
            strangers.append(path)
            continue
        check_fits(one, model)
        found.setdefault(one.identity, {})[path] = one
    if not found:
        raise InputFileError(
            f"no picture has parameters in {params}", where=photos[0], mend="name the tracked pictures"
        )
    persons = []
    for identity, pictures in found.items():
        one = next(iter(pictures.values()))
        neutral = model.with_shape(one.betas, one.static_offset).neutral.astype(np.float32)
        load = _Tracked(model, pictures)
        persons.append(Person(identity, neutral, _spaced(tuple(pictures), most_views), load))
    return People(tuple(persons), tuple(strangers))


def _files(photos: Sequence[Path]) -> list[Path]:
    files: dict[Path, None] = {}
    for path in photos:
        if not path.exists():
            raise InputFileError("no such picture or folder", where=path)
        if not path.is_dir():
            files[path] = None
            continue
        inside = [
            one
            for one in sorted(path.rglob("*"))
            if one.suffix.lower() in SUFFIXES and one.is_file() and not one.name.startswith(".")
        ]
        if not inside:
            raise InputFileError("no pictures in it", where=path, mend="give .jpg or .png files")
        files.update(dict.fromkeys(inside))
    return list(files)


def _spaced(files: tuple[Path, ...], most: int) -> tuple[Path, ...]:
    if len(files) <= most:
        return files
    return tuple(files[round(i)] for i in np.linspace(0, len(files) - 1, most))


class _Pictures:
    """Parameter sets by the pictures that they were tracked in."""

    def __init__(self, sets: Sequence[ParameterSet]) -> None:
        self._by_path: dict[str, list[ParameterSet]] = {}
        self._by_name: dict[str, list[ParameterSet]] = {}
        for one in sets:
            name = Path(one.image or one.identity)
            if one.image is not None:
                self._by_path.setdefault(str(Path(one.image).absolute()), []).append(one)
            for key in {name.name, name.stem if one.image is not None else name.name}:
                self._by_name.setdefault(key, []).append(one)

    def of(self, path: Path) -> ParameterSet | None:
        """The set of a picture, None for a stranger; raises :class:`InputFileError` where it may be several."""
        found = (
            self._by_path.get(str(path.absolute()))
            or self._by_name.get(path.name)
            or self._by_name.get(path.stem)
            or []
        )
        if len(found) > 1:
            what = f"{len(found)} parameter sets may be of this picture, the first of {found[0].source[:200]}"
            raise InputFileError(what, where=path, mend="give parameters that name one picture each")
        return found[0] if found else None


@dataclass(frozen=True)
class _Tracked:
    """Reads the pictures of a tracker."""

    model: HeadModel
    sets: dict[Path, ParameterSet]

    def __call__(self, path: Path) -> View:
        one = self.sets[path]
        image = read_image(path)
        # The last frame of an interpolated motion is the set itself.
        facial, _ = sequence_vertices(self.model, make_sequence(one, 2))
        camera = tracked_camera(one, facial[-1:], image.shape[1], image.shape[0])
        return View(image, camera, facial[-1], str(path))


def _in_dataset(root: Path, files: Sequence[Path], model: HeadModel, most_views: int) -> People:
    found: dict[str, dict[Path, tuple[SequenceMetadata, Output, int]]] = {}
    for path in files:
        metadata, output, frame = _place(root, path)
        if metadata.model.digest != model.digest:
            what = f"rendered with another head ({metadata.model.family} {metadata.model.version})"
            raise HeadModelError(what, where=path, mend="name it with --head")
        found.setdefault(metadata.identity, {})[path] = (metadata, output, frame)
    persons = []
    for identity, pictures in found.items():
        metadata = next(iter(pictures.values()))[0]
        neutral = model.with_shape(np.array(metadata.parameters.betas)).neutral.astype(np.float32)
        persons.append(Person(identity, neutral, _spaced(tuple(pictures), most_views), _Rendered(root, pictures)))
    return People(tuple(persons), ())


def _place(root: Path, path: Path) -> tuple[SequenceMetadata, Output, int]:
    """The sequence, the kind and the frame of one of a dataset's images."""
    try:
        parts = path.resolve().relative_to(root.resolve()).parts
        output = {"facial": Output.FACIAL_IMAGE, "head": Output.HEAD_IMAGE}[parts[1]]
        # A spread dataset has a folder by hash before the sequence's.
        _, _, split, emotion, *_, sequence, name = parts
        frame = int(Path(name).stem)
    except (ValueError, KeyError, IndexError):
        mend = "give pictures that lie in the dataset's folder image"
        raise InputFileError(f"is no image of the dataset {root}", where=path, mend=mend) from None
    metadata = read_sequence(root, SequenceKey(split, emotion, sequence, len(parts) == 7))
    if frame not in metadata.layout.frames(output):
        raise InputFileError(f"the sequence has no frame {frame}", where=path)
    return metadata, output, frame


@dataclass(frozen=True)
class _Rendered:
    """Reads the images of a dataset."""

    root: Path
    places: dict[Path, tuple[SequenceMetadata, Output, int]]

    def __call__(self, path: Path) -> View:
        metadata, output, frame = self.places[path]
        stored = read_vertices(self.root / metadata.layout.record(Record.VERTICES))
        at = stored.frames.tolist().index(frame)
        vertices = stored.facial[at] if output is Output.FACIAL_IMAGE else stored.head[at - 1]
        camera = metadata.get_camera(frame)
        image = read_image(path)
        if image.shape[:2] != (camera.height, camera.width):
            what = f"has {image.shape[1]} x {image.shape[0]} pixels, and its camera {camera.width} x {camera.height}"
            raise InputFileError(what, where=path)
        return View(image, camera, vertices, str(path))
