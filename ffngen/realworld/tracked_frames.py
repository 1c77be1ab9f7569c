"""Videos that metrical-tracker (MICA's tracker) or Pixel3DMM tracked: vertices of their parameters on a FLAME head.

``ACTOR/checkpoint/00001.frame`` beside ``ACTOR/input/00001.png``. The parameters also tell where the head alone would
have gone (CONVENTIONS.md, a tracked video's head-only frames), so that head and expression flow have a truth as well:
the tracker's.
"""

from __future__ import annotations

from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np

from ffngen.dataset.labels.layout import Gap
from ffngen.errors import InputFileError, JobError
from ffngen.geometry.camera import Camera
from ffngen.head.model import HeadModel
from ffngen.motion.tracked import TrackSampling, tracked_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.metrical_tracker import read_metrical_tracker
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.source import check_fits
from ffngen.realworld.points import PairEntry, PairPoints, PointSet
from ffngen.realworld.subjects import subject_of
from ffngen.realworld.vertex_regions import VertexRegions
from ffngen.realworld.visible import visible_points


def add_tracks(
    found: PointSet, root: Path, *, model: HeadModel | None, regions: VertexRegions | None, gap: Gap, visible: bool
) -> None:
    """Add the pairs of all tracks below a folder.

    A frame without its picture is left out and listed; so is a track of which no two frames are ``gap`` apart.

    :param model: the FLAME that the parameters are for.
    :raises JobError: there are tracks, and no model.
    :raises FfngenError: a .frame file is at fault, or does not fit the model.
    """
    sets = read_metrical_tracker(root)
    if not sets:
        return
    if model is None:
        mend = "give --head FLAME2020/, with the tracker's eyelids (l_eyelid.npy, r_eyelid.npy) beside it"
        raise JobError("a tracker's frames are parameters, which need their FLAME model", where="head", mend=mend)
    for track, frames in groupby(sets, key=lambda one: one.track or ""):
        there: dict[int, ParameterSet] = {}
        for one in frames:
            check_fits(one, model)
            if one.image is None:
                found.left_out.append(f"{one.source}: its picture, input/{Path(one.source).stem}.png, is not there")
            elif one.frame is not None:
                there[one.frame] = one
        pairs = _pairs(sorted(there), gap)
        if not pairs:
            found.left_out.append(f"{track}: no two frames are {gap} apart ({len(there)} frames)")
        for before, after in pairs:
            one, other = there[before], there[after]
            load = partial(_points, one, other, model, regions, visible=visible)
            images = (Path(str(one.image)), Path(str(other.image)))
            found.pairs.append(PairEntry(f"{track}/{before:05d}", track, subject_of(track), images, load))


def _pairs(numbers: list[int], gap: Gap) -> list[tuple[int, int]]:
    if gap == "first-last":
        return [(numbers[0], numbers[-1])] if len(numbers) > 1 else []
    there = set(numbers)
    return [(number, number + gap) for number in numbers if number + gap in there]


def _points(
    one: ParameterSet, other: ParameterSet, model: HeadModel, regions: VertexRegions | None, *, visible: bool
) -> PairPoints:
    assert one.frame is not None and other.frame is not None
    vertices, head = sequence_vertices(
        model, tracked_sequence([one, other], TrackSampling(step=other.frame - one.frame))
    )
    start = _project(one, vertices[0])
    facial, alone = (_project(other, points) - start for points in (vertices[1], head[0]))
    counted = np.ones(len(start), dtype=bool) if regions is None else regions.counted
    camera = _camera(one)
    if visible:
        counted = counted & visible_points(vertices[0], vertices[0], model.faces, camera)
    motion = {"facial": facial, "head": alone, "expression": facial - alone}
    size = (camera.width, camera.height)
    return PairPoints(start, motion, dict.fromkeys(motion, counted), {} if regions is None else regions.regions, size)


def _camera(frame: ParameterSet) -> Camera:
    assert frame.camera is not None  # the tracker's frames have one
    return frame.camera


def _project(
    frame: ParameterSet, vertices: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    pixels, depth = _camera(frame).project(vertices)
    if depth.min() <= 0:
        raise InputFileError("puts vertices behind the camera", where=frame.source, mend="track that frame again")
    return pixels
