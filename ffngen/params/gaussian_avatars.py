"""Parameter sets from VHAP's tracking and GaussianAvatars' datasets: FLAME 2023 with offsets, in the world's frame.

- ``SEQUENCE/flame_param/00000.npz``, ...: one timestep each, with cameras in ``transforms.json`` or
  ``transforms_{train,val,test}.json`` beside the folder (VHAP's ``vhap/export_as_nerf_dataset.py``).
- ``tracked_flame_params_30.npz``: all timesteps of a sequence; the file of the latest epoch counts, as in VHAP's
  export. GaussianAvatars' ``flame_param.npz``, beside a point cloud, is the same. Neither says where the camera was.

rotation, neck_pose, jaw_pose (3), eyes_pose (6), translation (3), expr (100) for each timestep, shape (300),
static_offset and dynamic_offset (5023 vertices, or 5143 with teeth). Offsets are added to the shaped face before its
joints are found, the translation after it is posed (``vhap/model/flame.py``).

Of several cameras one is taken for the whole sequence: of those that saw all its timesteps the one of the smallest
``camera_index``, then of the first ``camera_id`` in the order of text. Where none saw all, the sets have no camera, as
two cameras' views would differ by what is no motion of the head's.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.geometry.camera import Camera
from ffngen.head.npz import MAX_BYTES, read_npz
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.places import emotion_of, file_inside, find_files, identity_of, refuse_link_out, text
from ffngen.params.transforms import camera_of, choose_files, is_transforms, names_parameters, number_of, read_frames
from ffngen.params.vectors import checked_array, checked_rows

FOLDER = "flame_param"

_TIMESTEP = re.compile(r"([0-9]{1,9})\.npz")
_TRACKED = re.compile(r"tracked_flame_params(?:_([0-9]{1,9}))?\.npz|flame_param\.npz")

_ROWS = {"rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6, "translation": 3, "expr": 100}
_SHAPE = 300
_OFFSETS = ("static_offset", "dynamic_offset")
#: FLAME's vertices, without and with teeth.
_VERTICES = (5023, 5143)
#: Metres.
_MAX_OFFSET = 1.0
#: Bytes of one timestep: two offsets and little else.
_MAX_TIMESTEP_BYTES = 1 << 22


def read_gaussian_avatars(path: Path) -> list[ParameterSet]:
    """The timesteps of one file or folder, or of all below a folder; one track for each sequence.

    The identity is the sequence's folder below ``path``.

    :returns: sorted by sequence and timestep; empty where nothing is VHAP's or GaussianAvatars'.
    :raises InputFileError: for a file that is damaged, lacks an array or has one of another shape, values that no
        face has, or cameras that are none.
    """
    base = path if path.is_dir() else path.parent
    views: dict[Path, dict[_Order, _View]] = {}
    alone: list[Path] = []
    tracked: list[Path] = []
    for folder, files in sorted(find_files(path, _is_wanted)):
        for file in choose_files(file for file in files if is_transforms(file.name)):
            _add_views(views, file, base)
        if folder.name == FOLDER:
            alone += [file for file in files if _TIMESTEP.fullmatch(file.name)]
        tracked += _latest(file for file in files if _TRACKED.fullmatch(file.name))
    seen = {file.resolve() for file in views}
    chosen = _one_camera_each(views)
    files_and_views = [*chosen.items(), *((file, None) for file in alone if file.resolve() not in seen)]
    sets: list[ParameterSet] = []
    previous: NDArray[np.float32] | None = None
    for file, view in sorted(files_and_views, key=lambda item: (item[0].parent, _number(item[0]))):
        (one,) = _sets_of_file(file, file.parent.parent, path, view=view, static=previous)
        previous = one.static_offset
        sets.append(one)
    for file in tracked:
        sets += _sets_of_file(file, file.parent, path, view=None, static=None)
    return sets


@dataclass(frozen=True)
class CapturedView:
    """A picture of a tracked head.

    :param parameters: the head; without a camera, as each picture has its own.
    :param camera: the picture's.
    :param image: its file.
    :param mask: the file of the person's mask, bright where the person is; None where there is none.
    """

    parameters: ParameterSet
    camera: Camera
    image: Path
    mask: Path | None


def read_captured_views(path: Path) -> list[CapturedView]:
    """Every picture by every camera that the files of cameras at or below a folder name.

    :returns: sorted by sequence, timestep and camera; empty where nothing is VHAP's or GaussianAvatars'.
    :raises InputFileError: as :func:`read_gaussian_avatars`; or a picture is missing.
    """
    base = path if path.is_dir() else path.parent
    views: dict[Path, dict[_Order, _View]] = {}
    for _, files in sorted(find_files(path, is_transforms)):
        for file in choose_files(files):
            _add_views(views, file, base)
    found: list[CapturedView] = []
    previous: NDArray[np.float32] | None = None
    for file, seen_by in sorted(views.items(), key=lambda item: (item[0].parent, _number(item[0]))):
        (one,) = _sets_of_file(file, file.parent.parent, path, view=None, static=previous)
        previous = one.static_offset
        for order, view in sorted(seen_by.items()):
            if view.image is None:
                what = f"the picture of timestep {one.frame} by camera {order[1] or order[0]} is missing"
                raise InputFileError(what, where=file.parent.parent, mend="copy the folder images, too")
            found.append(CapturedView(one, view.camera, view.image, view.mask))
    return found


def encode_tracking(parameters: ParameterSet) -> bytes:
    """One timestep as VHAP's ``.npz``, which :func:`read_gaussian_avatars` reads back.

    :param parameters: of the family that it reads, with all of its coefficients.
    """
    rows = {"translation": parameters.translation, "expr": parameters.expression, "shape": parameters.betas}
    starts = {"rotation": (0, 3), "neck_pose": (3, 6), "jaw_pose": (6, 9), "eyes_pose": (9, 15)}
    rows |= {name: parameters.pose[first:last] for name, (first, last) in starts.items()}
    for name in _OFFSETS:
        offset = getattr(parameters, name)
        if offset is not None:
            rows[name] = offset
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.float32(row if name == "shape" else row[None]) for name, row in rows.items()})
    return buffer.getvalue()


def has_ambiguous_cameras(path: Path) -> Path | None:
    """The first file of cameras that GaussianAvatars or INSTA may have written, or None."""
    for folder, files in sorted(find_files(path, is_transforms)):
        beside = any((folder / name).is_dir() for name in (FOLDER, "flame"))
        for file in files:
            if file == path or beside or names_parameters(file):
                return file
    return None


#: A camera's place among all: its index, then its name.
_Order = tuple[int, str]


class _View:
    """A timestep's camera, picture and mask."""

    def __init__(self, camera: Camera, image: Path | None, mask: Path | None) -> None:
        self.camera = camera
        self.image = image
        self.mask = mask


def _one_camera_each(views: Mapping[Path, Mapping[_Order, _View]]) -> dict[Path, _View | None]:
    """For each timestep the view of the first camera that saw all of its sequence, or None."""
    common: dict[Path, set[_Order]] = {}
    for file, seen_by in views.items():
        common[file.parent] = common.get(file.parent, set(seen_by)) & seen_by.keys()
    return {file: seen_by[min(common[file.parent])] if common[file.parent] else None for file, seen_by in views.items()}


def _is_wanted(name: str) -> bool:
    return is_transforms(name) or _TIMESTEP.fullmatch(name) is not None or _TRACKED.fullmatch(name) is not None


def _add_views(views: dict[Path, dict[_Order, _View]], file: Path, base: Path) -> None:
    folder = file.parent
    frames = read_frames(file)
    if not any("flame_param_path" in frame or "timestep_index" in frame for frame in frames):
        return
    for frame in frames:
        timestep = number_of(frame, "timestep_index")
        name = frame.get("flame_param_path", None if timestep is None else f"{FOLDER}/{timestep:05d}.npz")
        if name is None:
            mend = "give --params-format insta if INSTA wrote it"
            raise InputFileError("a frame has no 'flame_param_path' and no 'timestep_index'", where=file, mend=mend)
        params = _params_file(folder, name, base, file)
        camera_index = number_of(frame, "camera_index")
        order = (1 << 30 if camera_index is None else camera_index, str(frame.get("camera_id", ""))[:100])
        seen_by = views.setdefault(params, {})
        if order not in seen_by:
            image = file_inside(folder, frame.get("file_path"), base)
            mask = file_inside(folder, frame.get("fg_mask_path"), base)
            seen_by[order] = _View(camera_of(frame, file, opengl=True), image, mask)


def _params_file(folder: Path, name: object, base: Path, file: Path) -> Path:
    """The file of parameters that a frame names, without "..", so that one timestep has one path."""
    path = Path(name) if isinstance(name, str) and "\0" not in name else Path()
    what = f"a frame names the parameters {str(name)[:80]!r}, which"
    if path.is_absolute() or _TIMESTEP.fullmatch(path.name) is None:
        raise InputFileError(f"{what} is no relative path of a numbered .npz file", where=file)
    params = Path(os.path.normpath(folder.absolute() / path))
    top = Path(os.path.normpath(base.absolute()))
    if not params.is_relative_to(top):
        mend = "give the folder that holds all sequences"
        raise InputFileError(f"{what} lie outside the folder that was given", where=file, mend=mend)
    params = base / params.relative_to(top)
    if not os.path.lexists(params):
        raise InputFileError(f"{what} are missing", where=file)
    refuse_link_out(params, base.resolve())
    return params


def _number(file: Path) -> int:
    match = _TIMESTEP.fullmatch(file.name)
    assert match is not None
    return int(match[1])


def _latest(files: Any) -> list[Path]:
    """The file of the latest epoch."""

    def epoch(file: Path) -> int:
        match = _TRACKED.fullmatch(file.name)
        return int(match[1]) if match is not None and match[1] is not None else -1

    return sorted(files, key=epoch)[-1:]


def _sets_of_file(
    file: Path, sequence: Path, root: Path, *, view: _View | None, static: NDArray[np.float32] | None
) -> list[ParameterSet]:
    match = _TIMESTEP.fullmatch(file.name)
    limit = MAX_BYTES if match is None else _MAX_TIMESTEP_BYTES
    arrays = read_npz(file, (*_ROWS, "shape", *_OFFSETS), max_bytes=limit)
    missing = [name for name in (*_ROWS, "shape") if name not in arrays]
    if missing:
        raise InputFileError(f"has no {' and no '.join(missing)}", where=file, mend="give files of VHAP's export")
    rows = {name: checked_rows(arrays[name], (size,), name, file) for name, size in _ROWS.items()}
    frames = len(rows["expr"])
    odd = [f"{name!r} has {len(values)} timesteps" for name, values in rows.items() if len(values) != frames]
    if odd or (match is not None and frames != 1):
        what = odd[0] if odd else f"has {frames} timesteps"
        raise InputFileError(f"{what}, not {1 if match is not None else frames}", where=file)
    betas = checked_array(arrays["shape"], (_SHAPE,), "shape", file)
    fixed = _offset(arrays, "static_offset", 1, file)
    moving = _offset(arrays, "dynamic_offset", frames, file)
    static_offset = None if fixed is None else fixed[0]
    if static is not None and static_offset is not None and np.array_equal(static, static_offset):
        static_offset = static
    inside = sequence if root in (sequence, *sequence.parents) else None
    identity = identity_of(sequence, root)
    emotion = emotion_of(sequence, root if inside is not None else sequence)
    return [
        ParameterSet(
            betas=betas,
            expression=rows["expr"][t],
            pose=np.concatenate([rows[name][t] for name in ("rotation", "neck_pose", "jaw_pose", "eyes_pose")]),
            family="flame2023",
            identity=identity,
            emotion=emotion,
            source=text(file),
            translation=rows["translation"][t],
            static_offset=static_offset,
            dynamic_offset=None if moving is None else moving[t],
            camera=None if view is None else view.camera,
            track=identity,
            frame=t if match is None else int(match[1]),
            image=None if view is None or view.image is None else text(view.image),
        )
        for t in range(frames)
    ]


def _offset(arrays: Mapping[str, NDArray[Any]], name: str, frames: int, file: Path) -> NDArray[np.float32] | None:
    """(frames, V, 3) float32, metres; None where there are none, or all are 0."""
    if name not in arrays:
        return None
    array = arrays[name]
    shapes = [(frames, count, 3) for count in _VERTICES] + [(count, 3) for count in _VERTICES if frames == 1]
    if array.dtype.kind != "f" or array.shape not in shapes:
        counts = " or ".join(str(count) for count in _VERTICES)
        what = f"{name!r} is {array.dtype} of the shape {array.shape}, not floats of ({frames}, {counts}, 3)"
        raise InputFileError(what, where=file)
    # Written so that a NaN is at fault too.
    if not (np.abs(array) <= _MAX_OFFSET).all():
        raise InputFileError(f"{name!r} holds a value that is not finite, or beyond {_MAX_OFFSET:g} m", where=file)
    offset: NDArray[np.float32] = array.reshape(frames, *array.shape[-2:]).astype(np.float32)
    return offset if offset.any() else None
