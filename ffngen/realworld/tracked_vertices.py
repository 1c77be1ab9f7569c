"""Sets of videos whose vertices were tracked: ``.npz`` files (:mod:`.vertex_file`) and trackers' own folders."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ffngen.dataset.labels.layout import Gap
from ffngen.errors import HeadModelError, InputFileError, JobError
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.params.places import find_files
from ffngen.realworld.points import PairEntry, PairPoints, PointSet
from ffngen.realworld.subjects import subject_of
from ffngen.realworld.tracked_frames import add_tracks
from ffngen.realworld.vertex_file import VertexFile, read_vertex_file
from ffngen.realworld.vertex_regions import VertexRegions, from_arrays, from_masks, from_model
from ffngen.realworld.visible import visible_points

_MEND = "give a folder with an .npz for each video, or with metrical-tracker's ACTOR/checkpoint and ACTOR/input"


def open_tracked(
    root: Path,
    *,
    gap: Gap = 1,
    visible: bool = False,
    head: str | None = None,
    family: str | None = None,
    masks: Path | None = None,
    origin: float = 0.0,
) -> PointSet:
    """All videos at or below a path: trackers' folders, and where there is none, .npz files.

    :param gap: from each frame to so many after it; or from the first to the last.
    :param visible: count those vertices alone that rays see.
    :param head: the path of the FLAME model of the vertices, or of the trackers' parameters.
    :param family: its version, where the file's name does not tell.
    :param masks: FLAME's ``FLAME_masks.pkl``.
    :param origin: what .npz files call the centre of the top-left pixel.
    :raises FfngenError: nothing is found, or a file is at fault.
    """
    if not root.exists():
        raise InputFileError("no such file or folder", where=root, mend=_MEND)
    model = None if head is None else load_head(head, family=family)
    found = PointSet([])
    regions = None if model is None else _regions(None, model.vertex_count, model, masks)
    add_tracks(found, root, model=model, regions=regions, gap=gap, visible=visible)
    files: list[Path] = []
    if not found.pairs:  # trackers keep files of their own
        files = sorted(path for _, paths in find_files(root, lambda name: name.endswith(".npz")) for path in paths)
    for number, path in enumerate(files):
        own = _add(found, path, root, gap=gap, visible=visible, model=model, masks=masks, origin=origin)
        if number and (own is None) != (regions is None):
            what = f"states {'no' if own is None else 'its'} regions, and {files[0].name} {'none' if own else 'does'}"
            raise InputFileError(what, where=path, mend="give all videos regions, or none")
        regions = own
    if not found.pairs:
        reason = f": {found.left_out[0]}" if found.left_out else ""
        raise InputFileError(f"holds no pair of tracked frames{reason}", where=root, mend=_MEND)
    if regions is None:
        mend = "--masks FLAME_masks.pkl or --head FLAME gives those of FLAME"
        found.notes.append(f"all vertices are counted, as their regions are not known; {mend}")
    else:
        found.notes.append(regions.sentence)
        found.facts = {"vertices": int(regions.counted.sum()), "face_vertices": regions.face}
    if visible:
        found.notes.append("only vertices that rays see, and away from outlines")
    else:
        found.notes.append("vertices that the head itself hides are counted too; --visible leaves them away")
    return found


def _add(
    found: PointSet,
    path: Path,
    root: Path,
    *,
    gap: Gap,
    visible: bool,
    model: HeadModel | None,
    masks: Path | None,
    origin: float,
) -> VertexRegions | None:
    """Add the pairs of one file; returns its regions."""
    file = read_vertex_file(path, origin)
    if visible and (file.vertices is None or (file.faces is None and model is None)):
        mend = "leave --visible away, or give vertices, K, T_cam_world and faces"
        raise JobError("--visible needs vertices in space and their triangles", where=path, mend=mend)
    regions = _regions(file, file.pixels.shape[1], model, masks)
    name = path.relative_to(root).with_suffix("").as_posix() if root.is_dir() else path.stem
    frames = len(file.images)
    pairs = [(0, frames - 1)] if gap == "first-last" else [(i, i + gap) for i in range(frames - gap)]
    if not pairs:
        found.left_out.append(f"{name}: no two frames are {gap} apart ({frames} frames)")
    for before, after in pairs:
        load = partial(_points, path, before, after, regions, model, visible=visible, origin=origin)
        images = (file.images[before], file.images[after])
        subject = file.subject or subject_of(name)
        found.pairs.append(PairEntry(f"{name}/{before + 1:05d}", name, subject, images, load))
    return regions


def _regions(file: VertexFile | None, count: int, model: HeadModel | None, masks: Path | None) -> VertexRegions | None:
    if masks is not None:
        return from_masks(masks, count)
    stated = None if file is None or file.regions is None else from_arrays(*file.regions)
    if stated is not None or model is None:
        return stated
    if count != model.vertex_count:
        what = f"has {model.vertex_count} vertices, and {count} were tracked"
        raise HeadModelError(what, where=model.path, mend="name the head that they were tracked with")
    return from_model(model, count)


def _points(
    path: Path,
    before: int,
    after: int,
    regions: VertexRegions | None,
    model: HeadModel | None,
    *,
    visible: bool,
    origin: float,
) -> PairPoints:
    file = read_vertex_file(path, origin)
    start = file.pixels[before]
    counted = np.ones(len(start), dtype=bool) if regions is None else regions.counted
    if visible and file.vertices is not None:
        faces = file.faces if file.faces is not None else model.faces if model is not None else None
        assert faces is not None  # refused when the file was added
        counted = counted & visible_points(file.vertices[before], file.vertices[before], faces, file.cameras[before])
    size = (file.cameras[0].width, file.cameras[0].height) if file.cameras else None
    return PairPoints(
        start=start,
        motion={"facial": file.pixels[after] - start},
        counted={"facial": counted},
        regions={} if regions is None else regions.regions,
        size=size,
    )
