"""Pictures of a fit: what was found and fitted, drawn over each picture, and a video's frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import write_atomic
from ffngen.errors import InputFileError
from ffngen.fit.fit import FitResult, FittedFrame
from ffngen.fit.footage import Footage
from ffngen.head.model import HeadModel
from ffngen.images import encode_jpeg

Rgb = NDArray[np.uint8]

_FOUND, _FITTED, _MESH = (40, 220, 60), (240, 50, 50), (90, 170, 255)
#: The face and what is around it fills so many pixels, for lines to be told apart.
_SIDE, _MARGIN = 640, 1.7
#: Positions are drawn to 1/16 of a pixel.
_SHIFT = 4


def draw_preview(image: Rgb, frame: FittedFrame, model: HeadModel) -> Rgb:
    """The face with the mesh in blue, found landmarks in green, fitted ones in red.

    :param image: (H, W, 3).
    :returns: its part around the face, enlarged.
    """
    low, high = frame.found.points.min(axis=0), frame.found.points.max(axis=0)
    side = _MARGIN * max(float((high - low).max()), 1.0)
    edges = [(low + high) / 2 + sign * side / 2 for sign in (-1, 1)]
    left, top = (int(np.clip(edge, 0, end - 1)) for edge, end in zip(edges[0], image.shape[1::-1], strict=True))
    right, bottom = (int(np.clip(edge, 1, end)) for edge, end in zip(edges[1], image.shape[1::-1], strict=True))
    crop = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    factor = _SIDE / max(crop.shape[:2])
    size = tuple(max(round(length * factor), 1) for length in crop.shape[1::-1])
    canvas = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    corner = np.array([left, top])
    parameters = frame.parameters
    assert parameters.camera is not None
    vertices = model.vertices(parameters.betas, parameters.expression[None], parameters.pose[None])[0]
    pixels = parameters.camera.project(vertices + parameters.translation)[0] - corner
    region = model.regions.get("face")
    triangles = model.faces if region is None else model.faces[region]
    corners = pixels[triangles]
    edge_1, edge_2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    # Counter-clockwise from outside, so clockwise in a picture whose v points down.
    facing = edge_1[:, 0] * edge_2[:, 1] - edge_1[:, 1] * edge_2[:, 0] < 0
    mesh = canvas.copy()
    cv2.polylines(mesh, list(_fixed(corners[facing], factor)), True, _MESH, 1, cv2.LINE_AA, _SHIFT)
    canvas = cv2.addWeighted(mesh, 0.45, canvas, 0.55, 0)
    radius = max(round(canvas.shape[0] / 250), 2)
    for points, colour in ((frame.found.points, _FOUND), (frame.fitted, _FITTED)):
        for point in _fixed(points - corner, factor):
            cv2.circle(canvas, point.tolist(), radius << _SHIFT, colour, -1, cv2.LINE_AA, _SHIFT)
    text = f"error {100 * frame.error:.1f}% of the eyes' distance"
    cv2.putText(canvas, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    drawn: Rgb = canvas
    return drawn


def write_previews(
    folder: Path,
    people: Sequence[Footage],
    result: FitResult,
    model: HeadModel,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write a JPEG per fitted picture; returns how many.

    :raises FfngenError: the folder cannot be written to.
    """
    _make(folder)
    frames = {frame.name: frame for frame in result.frames}
    done = 0
    for person in people:
        for name, image in person.read():
            frame = frames.get(name)
            if frame is None or isinstance(image, InputFileError):
                continue
            data = encode_jpeg(draw_preview(image, frame, model), quality=90)
            stem = Path(name).stem if person.video is None else person.files[0].stem
            write_atomic(folder / f"{done:06d}_{stem}.jpg", data)
            done += 1
            progress(done, len(frames))
    return done


def write_frames(
    folder: Path,
    people: Sequence[Footage],
    result: FitResult,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write the fitted frames of videos as JPEG files, named as the parameter sets name them; returns how many.

    :raises FfngenError: the folder cannot be written to.
    """
    frames = {frame.name: frame.parameters.image for frame in result.frames if frame.parameters.track is not None}
    done = 0
    for person in (one for one in people if one.video is not None):
        for name, image in person.read():
            file = frames.get(name)
            if file is None or isinstance(image, InputFileError):
                continue
            _make((folder / file).parent)
            write_atomic(folder / file, encode_jpeg(image))
            done += 1
            progress(done, len(frames))
    return done


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputFileError(f"the folder cannot be made: {error.strerror}", where=folder) from error


def _fixed(points: NDArray[np.float64], factor: float) -> NDArray[np.int32]:
    """Pixels in OpenCV's fixed-point numbers; what lies far outside is brought near."""
    enlarged = np.clip((points + 0.5) * factor - 0.5, -4096, 20000)
    fixed: NDArray[np.int32] = np.round(enlarged * (1 << _SHIFT)).astype(np.int32)
    return fixed
