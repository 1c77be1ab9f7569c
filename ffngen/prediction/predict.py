"""Flow along a sequence of frames, in files.

| file | what |
| --- | --- |
| ``flow/{facial,head,expression}/0001.flo`` | from frame 1 to frame 2, and so on; frames are counted from 1 |
| ``color/{facial,head,expression}/0001.png`` | the same as colours, on one scale over the sequence |
| ``side_by_side.mp4`` | the frames and their flows as colours |
| ``predict.json`` | what it was made of; written first |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import read_bounded, write_atomic
from ffngen.errors import DatasetError, FfngenError
from ffngen.estimators.estimator import Estimate, Estimator
from ffngen.flow.color import flow_legend, flow_to_rgb
from ffngen.flow.files import read_flow, write_flow
from ffngen.images import encode_png
from ffngen.prediction.frames import Frames
from ffngen.prediction.video import VideoWriter

Rgb = NDArray[np.uint8]

FLOWS = ("facial", "head", "expression")
RECORD = "predict.json"

#: The motion that is fully saturated is longer than this share of all; a few wild pixels would pale the rest.
_SATURATED_SHARE = 99.5


@dataclass(frozen=True)
class Prediction:
    """What was written.

    :param pairs: pairs of frames.
    :param flows: which flows there are.
    :param scales: flow -> the motion that is fully saturated in its pictures, pixels.
    """

    pairs: int
    flows: tuple[str, ...]
    scales: dict[str, float]


def predict(
    frames: Frames,
    estimator: Estimator,
    out: Path,
    *,
    source: dict[str, Any],
    video: bool = True,
    max_flow: float | None = None,
    overwrite: bool = False,
    progress: Callable[[str, int, int | None], None] = lambda what, done, total: None,
) -> Prediction:
    """Estimate the flow from each frame to the next one, and write flows, pictures and a video.

    Pairs whose flows are there already are not estimated again.

    :param source: what the flows are a function of, JSON-ready; a folder that holds others is refused.
    :param video: write the side-by-side video.
    :param max_flow: the motion that is fully saturated in pictures, pixels; chosen where None.
    :param progress: told what is being done, how many frames are done, and of how many, where that is known.
    :raises FfngenError: a frame cannot be read, the folder holds something else, or cannot be written to.
    """
    _claim(out, source, overwrite=overwrite)
    done = _leading_pairs(out)
    total = None if frames.count is None else frames.count - 1
    for estimate in estimator.along(frames.read(done)):
        done += 1
        _write_flows(out, done, estimate)
        progress("estimating", done, total)
    if done == 0:
        raise FfngenError("holds fewer than two frames", where=frames.files[0], mend="give two or more")
    names = tuple(name for name in FLOWS if _flow_path(out, name, 1).is_file())
    scales = {name: max_flow or _scale(out, name, done) for name in names}
    _draw(frames, out, done, scales, video=video, progress=progress)
    return Prediction(done, names, scales)


def _claim(out: Path, source: dict[str, Any], *, overwrite: bool) -> None:
    record = out / RECORD
    mend = "give another --out, or --overwrite"
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()) and not record.is_file():
            raise DatasetError("holds other files", where=out, mend="give an empty or new folder with --out")
    except OSError as error:
        raise DatasetError(f"cannot be used: {error.strerror}", where=out, mend="give another --out") from error
    text = json.dumps(source, indent=1, sort_keys=True) + "\n"
    if record.is_file() and read_bounded(record, 1 << 20).decode(errors="replace") != text:
        if not overwrite:
            raise DatasetError("holds the flow of other frames, or of another model", where=out, mend=mend)
        for path in out.glob("flow/*/*.flo"):
            path.unlink()
    write_atomic(record, text.encode())


def _flow_path(out: Path, name: str, pair: int) -> Path:
    return out / "flow" / name / f"{pair:04d}.flo"


def _leading_pairs(out: Path) -> int:
    """How many pairs from the first one on have their flows; facial flow is written last."""
    pair = 0
    while _flow_path(out, "facial", pair + 1).is_file():
        pair += 1
    return pair


def _write_flows(out: Path, pair: int, estimate: Estimate) -> None:
    for name in reversed(FLOWS):
        flow = getattr(estimate, name)
        if flow is not None:
            path = _flow_path(out, name, pair)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_flow(path, flow)


def _scale(out: Path, name: str, pairs: int) -> float:
    """The length that all but a few pixels' motion stays below, over the sequence."""
    lengths = [np.linalg.norm(read_flow(_flow_path(out, name, pair)), axis=-1) for pair in range(1, pairs + 1)]
    return max(max(float(np.percentile(length, _SATURATED_SHARE)) for length in lengths), 1e-3)


def _draw(
    frames: Frames,
    out: Path,
    pairs: int,
    scales: dict[str, float],
    *,
    video: bool,
    progress: Callable[[str, int, int | None], None],
) -> None:
    for name in scales:
        (out / "color" / name).mkdir(parents=True, exist_ok=True)
    path = out / "side_by_side.mp4"
    temporary = out / ".side_by_side.tmp.mp4"
    with VideoWriter(temporary, frames.rate) as write:
        for pair, frame in enumerate(frames.read(), 1):
            if pair > pairs:
                break
            colours = [flow_to_rgb(read_flow(_flow_path(out, name, pair)), scale) for name, scale in scales.items()]
            for name, colour in zip(scales, colours, strict=True):
                write_atomic(out / "color" / name / f"{pair:04d}.png", encode_png(colour))
            if video:
                write(np.concatenate([frame, *(_with_legend(colour) for colour in colours)], axis=1))
            progress("drawing", pair, pairs)
    if video:
        temporary.replace(path)


def _with_legend(colour: Rgb) -> Rgb:
    side = max(16, min(colour.shape[:2]) // 8)
    if side + 4 > min(colour.shape[:2]):
        return colour
    colour = np.array(colour)
    colour[-side - 2 : -2, -side - 2 : -2] = flow_legend(side)
    return colour
