"""Parameter sets from the codes of a network that sees one square crop of a face: DECA, SMIRK.

Neither writes its codes by itself: people save the dict that the encoder returns, for one image, or for T frames of a
video one after the other (arrays of T rows, or one file for each frame, ``NAME_frame0007``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import FfngenError, InputFileError
from ffngen.geometry.camera import Camera
from ffngen.params.code_file import MAX_BYTES, CodeFile, is_code_file, read_code_file
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.places import emotion_of, file_inside, find_files, identity_of, text
from ffngen.params.vectors import checked_rows
from ffngen.params.weak_perspective import weak_perspective_camera

Array64 = NDArray[np.float64]

#: As DECA names the frames that it takes from a video (``decalib/datasets/datasets.py``).
_VIDEO_FRAME = re.compile(r"(.*[^.].*)_frame([0-9]{1,9})")


@dataclass(frozen=True)
class CodeLayout:
    """What the dict of one network holds.

    :param required: name -> how many numbers; a file that lacks one is not the network's.
    :param optional: the same of those that are used where they are there.
    :param arrange: makes (betas, expression, pose, eyelids) of one frame's vectors.
    :param decoded: a name in what the network's decoder returns, which people take for its codes.
    """

    required: Mapping[str, int]
    optional: Mapping[str, int]
    arrange: Callable[[Mapping[str, Array64]], tuple[Array64, Array64, Array64, Array64]]
    decoded: str


def read_crop_codes(path: Path, layout: CodeLayout) -> list[ParameterSet]:
    """The parameter sets of one file, or of all files below a folder that hold a dict of the network's codes.

    The identity is the file's path below ``path`` without its suffix; frames of one video share their video's. The
    camera is the weak-perspective camera of the crop, where the file has it.

    :returns: sorted by path and frame; empty where no file is the network's.
    :raises InputFileError: for a file that is damaged or asks for more than arrays, codes of other shapes, or values
        that no face has.
    """
    sets: list[ParameterSet] = []
    for file in sorted(file for _, files in find_files(path, is_code_file) for file in files):
        # In a folder, larger files are something else, and so is a folder with such a name.
        if file == path or (not file.is_dir() and not _is_larger(file)):
            content = read_code_file(file, {*layout.required, *layout.optional})
            if content is not None and _is_the_networks(content, layout, file):
                sets += _sets_of_file(content.arrays, layout, file, path)
    return sets


def _is_larger(file: Path) -> bool:
    try:
        return file.stat().st_size > MAX_BYTES
    except OSError as error:
        raise InputFileError(f"cannot be read ({error.strerror})", where=file) from error


def _is_the_networks(content: CodeFile, layout: CodeLayout, file: Path) -> bool:
    missing = [name for name in layout.required if name not in content.names]
    if not missing:
        return True
    if layout.decoded in content.names:
        what = f"holds what the decoder returned ({layout.decoded}), but no {' and no '.join(missing)}"
        raise InputFileError(what, where=file, mend="save the dict that the encoder returns")
    return False


def _sets_of_file(arrays: Mapping[str, NDArray[Any]], layout: CodeLayout, file: Path, root: Path) -> list[ParameterSet]:
    for name in layout.required:
        if name not in arrays:
            raise InputFileError(f"holds no {name!r} of numbers", where=file)
    sizes = {**layout.required, **{name: size for name, size in layout.optional.items() if name in arrays}}
    rows = {name: checked_rows(arrays[name], (size,), name, file) for name, size in sizes.items()}
    frames = max(len(values) for values in rows.values())
    odd = [f"{name!r} has {len(values)}" for name, values in rows.items() if len(values) not in (1, frames)]
    if odd:
        raise InputFileError(f"{odd[0]} frames, and others have {frames}", where=file)
    place, number = _place(file)
    identity = identity_of(place, root)
    if frames > 1:
        numbers: list[int | None] = list(range(frames))
    else:
        numbers = [number]
    image = file_inside(file.parent, f"{file.stem}_inputs.jpg", root if root.is_dir() else file.parent)
    sets = []
    for t in range(frames):
        vectors = {name: values[t if len(values) > 1 else 0] for name, values in rows.items()}
        betas, expression, pose, eyelids = layout.arrange(vectors)
        sets.append(
            ParameterSet(
                betas=betas,
                expression=expression,
                pose=pose,
                family="flame2020",
                identity=identity,
                emotion=emotion_of(file, root),
                source=text(file),
                eyelids=eyelids,
                texture=vectors.get("tex"),
                camera=_camera(vectors["cam"], file) if "cam" in vectors else None,
                track=None if numbers[t] is None else identity,
                frame=numbers[t],
                image=None if image is None or frames > 1 else text(image),
            )
        )
    return sets


def _place(file: Path) -> tuple[Path, int | None]:
    """What the person is called after, and the frame's number where the name has one."""
    place = file.parent if file.stem == file.parent.name else file.with_suffix("")
    match = _VIDEO_FRAME.fullmatch(place.name)
    return (place, None) if match is None else (place.with_name(match[1]), int(match[2]))


def _camera(cam: Array64, file: Path) -> Camera:
    try:
        return weak_perspective_camera(*cam.tolist())
    except FfngenError as error:
        what = f"'cam' is {', '.join(f'{value:.4g}' for value in cam)}, and its scale must be above 0"
        raise InputFileError(what, where=file) from error
