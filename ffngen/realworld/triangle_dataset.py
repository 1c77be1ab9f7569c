"""Flow of triangulated landmarks as a dataset in MPI Sintel's layout, which tells what has no motion.

| file | what |
| --- | --- |
| ``training/clean/SCENE/frame_0001.png`` | the frames |
| ``training/flow/SCENE/frame_0001.flo`` | flow to the next frame; unknown (1e10) where there is none |
| ``training/invalid/SCENE/frame_0001.png`` | white there |
| ``triangles/NAME.json`` | what the scenes of a video were made of; written first |

``ffngen train OUT gma-sintel`` reads it, and so do the loaders of Sintel. A frame without landmarks ends a scene, for
all neighbouring files of a scene are a pair.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import read_bounded, write_atomic
from ffngen.dataset.labels.files import write_grey
from ffngen.dataset.layout import is_safe_name
from ffngen.errors import DatasetError, FfngenError, InputFileError, JobError
from ffngen.flow.files import write_flow
from ffngen.images import encode_png, read_image
from ffngen.prediction.frames import Frames
from ffngen.realworld.frame_landmarks import read_frame_landmarks
from ffngen.realworld.triangles import triangle_flow

Array64 = NDArray[np.float64]

RECORD_FOLDER = "triangles"


@dataclass
class TriangleLabels:
    """What was written for one video.

    :param scenes: the scenes' names.
    :param pairs: pairs of frames that have flow.
    :param kept: those of them that were there already.
    :param valid: the share of their pixels that have a motion.
    :param left_out: a line for each frame that has no landmarks, or no neighbour that has.
    """

    scenes: list[str] = field(default_factory=list)
    pairs: int = 0
    kept: int = 0
    valid: float = 0.0
    left_out: list[str] = field(default_factory=list)


def write_triangle_labels(
    frames: Frames,
    landmarks: Path,
    out: Path,
    *,
    name: str,
    step: int = 1,
    origin: float = 0.0,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> TriangleLabels:
    """Write the scenes of one video; pairs whose flow is there already are kept.

    :param landmarks: of each frame of the video (:func:`read_frame_landmarks`).
    :param name: the scene's name.
    :param step: flow leads from each frame that is taken to the one so many frames after it.
    :param origin: what the landmarks call the centre of the top-left pixel.
    :raises FfngenError: frames or landmarks are at fault, or the folder holds other scenes of that name.
    """
    if not is_safe_name(name):
        mend = "give one of letters, digits, '.', '_' and '-' with --name"
        raise JobError(f"{name[:60]!r} cannot be a scene's name", where="name", mend=mend)
    names = _frame_names(frames)
    points = read_frame_landmarks(landmarks, names, by_name=not frames.is_video, origin=origin)[::step]
    names = names[::step]
    labels = TriangleLabels()
    runs = list(_runs(points, names, labels))
    if not runs:
        raise InputFileError("no two neighbouring frames have landmarks", where=landmarks)
    scenes = [name] if len(runs) == 1 else [f"{name}-{number}" for number in range(1, len(runs) + 1)]
    _claim(out, name, scenes, _record(frames, names, points, step))
    # Readers sort names as text.
    digits = max(4, len(str(len(names))))
    place: dict[int, tuple[str, int]] = {}
    for scene, run in zip(scenes, runs, strict=True):
        labels.scenes.append(scene)
        place |= {index: (scene, step_in + 1) for step_in, index in enumerate(run)}
        for kind in ("clean", "flow", "invalid"):
            (out / "training" / kind / scene).mkdir(parents=True, exist_ok=True)
    shares = []
    for index, image in enumerate(_every(frames, step)):
        if index in place:
            scene, number = place[index]
            after = points[index + 1] if place.get(index + 1, ("", 0)) == (scene, number + 1) else None
            before = points[index]
            assert before is not None
            stem = f"frame_{number:0{digits}d}"
            share = _write_frame(out, scene, stem, image, before, after, labels, names[index])
            shares += [] if share is None else [share]
        progress(index + 1, len(names))
    labels.valid = float(np.mean(shares))
    return labels


def _frame_names(frames: Frames) -> list[str]:
    if not frames.is_video:
        return [path.stem for path in frames.files]
    # A header may be wrong about how many frames there are.
    return [f"frame {number}" for number, _ in enumerate(frames.read(), 1)]


def _every(frames: Frames, step: int) -> Iterator[NDArray[np.uint8]]:
    for index, image in enumerate(frames.read()):
        if index % step == 0:
            yield image


def _runs(points: Sequence[Array64 | None], names: Sequence[str], labels: TriangleLabels) -> Iterator[list[int]]:
    """Indices of neighbouring frames that have landmarks, at least two each."""
    run: list[int] = []
    for index in range(len(points) + 1):
        if index < len(points) and points[index] is not None:
            run.append(index)
            continue
        if len(run) > 1:
            yield run
        elif run:
            labels.left_out.append(f"{names[run[0]]}: neither neighbour has landmarks")
        if index < len(points):
            labels.left_out.append(f"{names[index]}: no landmarks")
        run = []


def _record(frames: Frames, names: Sequence[str], points: Sequence[Array64 | None], step: int) -> dict[str, Any]:
    state = hashlib.sha256()
    for one in points:
        state.update(b"none" if one is None else one.tobytes())
    source = frames.files[0] if frames.is_video else frames.files[0].parent
    return {
        "source": source.name,
        "size": list(frames.size),
        "step": step,
        "frames": list(names),
        "landmarks_sha256": state.hexdigest(),
    }


def _claim(out: Path, name: str, scenes: Sequence[str], record: dict[str, Any]) -> None:
    path = out / RECORD_FOLDER / f"{name}.json"
    text = json.dumps(record, indent=1) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"cannot be used: {error.strerror}", where=out, mend="give another folder") from error
    mend = "give another --name, or delete it and its scenes"
    if path.is_file():
        if read_bounded(path, 64 << 20).decode(errors="replace") != text:
            what = "holds scenes of other frames, landmarks or settings under this name"
            raise DatasetError(what, where=path, mend=mend)
    elif there := next((scene for scene in scenes if (out / "training" / "clean" / scene).exists()), None):
        raise DatasetError("is a scene of another video", where=out / "training" / "clean" / there, mend=mend)
    write_atomic(path, text.encode())


def _write_frame(
    out: Path,
    scene: str,
    stem: str,
    image: NDArray[np.uint8],
    before: Array64,
    after: Array64 | None,
    labels: TriangleLabels,
    name: str,
) -> float | None:
    """Write a frame and, where there is a next one, its flow, which comes last; returns the share that is valid."""
    picture = out / "training" / "clean" / scene / f"{stem}.png"
    if not picture.is_file():
        write_atomic(picture, encode_png(image))
    if after is None:
        return None
    labels.pairs += 1
    path = out / "training" / "flow" / scene / f"{stem}.flo"
    mask = out / "training" / "invalid" / scene / f"{stem}.png"
    if path.is_file() and mask.is_file():
        labels.kept += 1
        return float((read_image(mask)[..., 0] == 0).mean())
    try:
        flow, valid = triangle_flow(before, after, (image.shape[1], image.shape[0]))
    except FfngenError as error:
        raise InputFileError(error.what, where=name, mend=error.mend) from error
    write_grey(mask, np.where(valid, 0, 255).astype(np.uint8))
    write_flow(path, flow, valid)
    return float(valid.mean())
