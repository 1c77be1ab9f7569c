"""Views that come from files: a tracker's camera, the picture that it looked at, and the cameras of a rig."""

from __future__ import annotations

from functools import lru_cache
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.background import image_background
from ffngen.appearance.folders import image_files
from ffngen.errors import InputFileError, JobError
from ffngen.geometry.camera import Camera
from ffngen.job import Job
from ffngen.motion.steady import require_one_lens
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.source import ParameterSource
from ffngen.scene.rig import file_cameras, is_rig_file, rig_size

#: How much the aspects of a tracked camera and of the images that are rendered may differ.
_ASPECT_TOLERANCE = 0.01


def check_views(job: Job, source: ParameterSource) -> None:
    """Find what a job's sets lack of a tracker's view before any work begins.

    :raises InputFileError: the first set without a camera, with one of another aspect, or without its picture.
    """
    if job.camera == "preset" and job.source_images is None:
        return
    shown: dict[Path, str] = {}
    for index in range(len(source)):
        parameters = source.parameters(index)
        if job.camera == "tracked":
            _require_aspect(require_one_lens(source.track(index)), parameters.source, job.width, job.height)
        if job.source_images is not None:
            picture, image = source_picture(job.source_images, parameters), parameters.image or parameters.identity
            if shown.setdefault(picture, image) != image:
                what = f"{shown[picture]} and {image} would both be {picture.name}"
                mend = "give the folder that holds all of them, in folders as the sets name them"
                raise InputFileError(what, where=job.source_images, mend=mend)


def check_rig(job: Job, rig: str) -> None:
    """Find what a job's rig lacks before any work begins.

    :raises JobError: there is no such rig, or not so many cameras.
    :raises InputFileError: its file is damaged, or has a camera of another aspect than the images.
    """
    size = rig_size(rig)
    missing = [view for view in job.views or () if view >= size]
    if missing:
        raise JobError(f"the rig has the cameras 0 to {size - 1}, and no {missing[0]}", where="views")
    for view in job.views or range(size):
        if is_rig_file(rig):
            _require_aspect(file_cameras(Path(rig))[view], rig, job.width, job.height)


def file_camera(rig: str, view: int, vertices: NDArray[np.float32], width: int, height: int) -> Camera:
    """A camera of a rig's file, for images of another size.

    :param vertices: (N, V, 3), metres: all that must lie before it.
    :raises InputFileError: the camera has another aspect, or the face is behind it.
    """
    return _fitted(file_cameras(Path(rig))[view], rig, vertices, width, height)


def tracked_camera(parameters: ParameterSet, vertices: NDArray[np.float32], width: int, height: int) -> Camera:
    """The camera that saw a face, for images of another size.

    :param vertices: (N, V, 3), metres: all that must lie before it.
    :raises InputFileError: the set has no camera, or one of another aspect, or the face is behind it.
    """
    return _fitted(require_one_lens((parameters,)), parameters.source, vertices, width, height)


def _fitted(camera: Camera, where: str, vertices: NDArray[np.float32], width: int, height: int) -> Camera:
    _require_aspect(camera, where, width, height)
    if camera.to_camera(vertices)[..., 2].min() <= 0:
        raise InputFileError("the face lies behind its camera", where=where)
    return camera.resized(width, height)


def _require_aspect(camera: Camera, where: str, width: int, height: int) -> None:
    if abs(width * camera.height / (height * camera.width) - 1) > _ASPECT_TOLERANCE:
        what = f"was seen in {camera.width} x {camera.height} pixels, which is not the aspect of {width} x {height}"
        raise InputFileError(what, where=where, mend=f"--resolution {camera.width}x{camera.height}")


def source_background(folder: Path, parameters: ParameterSet, width: int, height: int) -> tuple[NDArray[np.uint8], str]:
    """The picture that a set was tracked in, (height, width, 3) uint8 sRGB, and its name.

    :raises InputFileError: as :func:`source_picture`, or it is no image.
    """
    path = source_picture(folder, parameters)
    return image_background(path, width, height), path.name


def source_picture(folder: Path, parameters: ParameterSet) -> Path:
    """The file of the picture that a set was tracked in.

    :param folder: where the pictures lie, or folders of them, each named as the tracker noted it, or as its own file of
        the set, or as the set's identity; the suffix does not matter. Of pictures of one name it is the one in folders
        of the noted names.
    :raises InputFileError: none of that name is there, or several are.
    """
    by_name, by_stem = _pictures(folder)
    names = [parameters.image] if parameters.image else [parameters.source, parameters.identity]
    for wanted in map(Path, names):
        found = by_name.get(wanted.name) or by_stem.get(wanted.name) or by_stem.get(wanted.stem) or []
        if found:
            break
    if len(found) > 1:
        common = [_common_folders(path.relative_to(folder), wanted) for path in found]
        found = [path for path, count in zip(found, common, strict=True) if count == max(common)]
    if len(found) != 1:
        what = f"there {'are several pictures' if found else 'is no picture'} named {wanted.name[:80]}"
        raise InputFileError(what, where=folder, mend="name each picture as the tracker's frame is named")
    return found[0]


def _common_folders(path: Path, other: Path) -> int:
    """How many folders above two files have the same names, from the files upwards."""
    above = zip(reversed(path.parts[:-1]), reversed(other.parts[:-1]), strict=False)
    return len(list(takewhile(lambda names: names[0] == names[1], above)))


@lru_cache(maxsize=4)
def _pictures(folder: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """A folder's pictures, and those below it, by name and by name without the suffix; it is listed once."""
    by_name: dict[str, list[Path]] = {}
    by_stem: dict[str, list[Path]] = {}
    for path in image_files(folder, "source_images", below=True):
        by_name.setdefault(path.name, []).append(path)
        by_stem.setdefault(path.stem, []).append(path)
    return by_name, by_stem
