"""A dataset in the Rerun viewer: images, flows in colour, depth, masks, and the head before its camera, over time.

Entities::

    world/head                 the mesh of the facial frame, each vertex in the colour of the pixel that shows it
    world/camera               the camera; below it image t, its depth and its mask
    image/{next,head_only}     image t+1 and the head-only image t+1
    flow/{facial,head,expression}    Middlebury's colours
    labels/...                 those that a sequence has, as its label sheet draws them
    world/camera/landmarks     on image t: green where visible, red where hidden
    about                      which sequence, which frame, how long the motion is

The time line ``pair`` counts the pairs of all sequences that are shown. Pictures are sent as they lie on disk, flows as
PNG.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ffngen.atomic import read_bounded
from ffngen.dataset.arrays import SequenceVertices
from ffngen.dataset.layout import Output, SequenceKey
from ffngen.dataset.read import FlowDataset, Pair
from ffngen.dataset.view_labels import CAMERA, SequenceLabelPictures, label_entity
from ffngen.extras import require
from ffngen.flow.color import flow_to_rgb
from ffngen.flow.values import Flow, known
from ffngen.geometry.camera import Camera
from ffngen.geometry.normals import vertex_normals
from ffngen.images import encode_png, image_size

APPLICATION = "ffngen"
_HEAD = "world/head"
_FLOWS = ("facial", "head", "expression")
#: A vertex takes the colour of its pixel unless the depth map there is so much nearer, metres; else it is grey.
_HIDDEN, _GREY = 3e-3, 110
_MAX_IMAGE_BYTES = 1 << 28


def open_recording() -> Any:
    """A recording (``rerun.RecordingStream``) that goes nowhere yet: give it a file or a viewer, then the dataset.

    :raises MissingPackageError: rerun-sdk is not installed.
    """
    require("view", "rerun")
    import rerun

    return rerun.RecordingStream(APPLICATION)


def viewer_layout(labels: Sequence[str] = ()) -> Any:
    """The blueprint: the head in space on the left; on the right pictures and flows, and labels behind a tab.

    :param labels: the labels' names, from :func:`ffngen.dataset.view_labels.shown_labels`.
    """
    import rerun.blueprint as rrb

    def picture(origin: str, name: str, *parts: str) -> Any:
        return rrb.Spatial2DView(origin=origin, name=name, contents=[f"{origin}/{part}" for part in parts] or origin)

    pictures = rrb.Vertical(
        rrb.Horizontal(
            picture(CAMERA, "image t", "image", "landmarks"),
            picture("image/next", "image t+1"),
            picture("image/head_only", "head-only t+1"),
        ),
        rrb.Horizontal(*(picture(f"flow/{name}", f"{name} flow") for name in _FLOWS)),
        rrb.Horizontal(
            picture(CAMERA, "depth", "depth"),
            picture(CAMERA, "mask", "image", "mask"),
        ),
        name="pictures",
    )
    grid = rrb.Grid(*(picture(label_entity(name), name) for name in labels), name="labels")
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.Vertical(
                rrb.Spatial3DView(
                    origin="world",
                    name="head and camera",
                    contents=["$origin/**", *(f"- {CAMERA}/{name}" for name in ("depth", "mask", "landmarks"))],
                ),
                rrb.TextDocumentView(origin="about", name="about"),
                row_shares=[3, 1],
            ),
            rrb.Tabs(pictures, grid, active_tab=0) if labels else pictures,
            column_shares=[2, 3],
        ),
        rrb.TimePanel(state="collapsed"),
        rrb.BlueprintPanel(state="collapsed"),
        rrb.SelectionPanel(state="collapsed"),
    )


def send_dataset(
    recording: Any,
    data: FlowDataset,
    sequences: Sequence[SequenceKey],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Send sequences to a recording that has somewhere to go (a file, a viewer).

    :param progress: called with the sequences sent and their total.
    :returns: how many pairs.
    :raises FfngenError: a file that is missing or damaged.
    """
    import rerun

    recording.log("world", rerun.ViewCoordinates.RIGHT_HAND_Y_UP, static=True)
    sent = 0
    for number, key in enumerate(sequences, 1):
        pairs = data.pairs(key)
        vertices = pairs[0].vertices
        labels = SequenceLabelPictures(pairs)
        longest = [_longest(pair.facial_flow for pair in pairs), _longest(pair.expression_flow for pair in pairs)]
        for index, pair in enumerate(pairs):
            recording.set_time("pair", sequence=sent)
            _send_camera(recording, pair.metadata.get_camera(pair.frame))
            _send_pictures(recording, pair)
            _send_flows(recording, pair, *longest)
            _send_head(recording, pair, vertices, index)
            labels.send(recording, pair)
            recording.log("about", _about(pair, *longest))
            sent += 1
        progress(number, len(sequences))
    return sent


def _send_camera(recording: Any, camera: Camera) -> None:
    import rerun

    T = camera.T_world_cam
    recording.log(CAMERA, rerun.Transform3D(translation=T[:3, 3], mat3x3=T[:3, :3]))
    # Rerun has the corner of the top-left pixel at (0, 0), CONVENTIONS.md its centre.
    to_corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    recording.log(
        CAMERA,
        rerun.Pinhole(
            image_from_camera=to_corner @ camera.K,
            width=camera.width,
            height=camera.height,
            camera_xyz=rerun.ViewCoordinates.RDF,
            image_plane_distance=0.06,
        ),
    )


def _send_pictures(recording: Any, pair: Pair) -> None:
    import rerun

    pictures = (
        (f"{CAMERA}/image", Output.FACIAL_IMAGE, 0),
        ("image/next", Output.FACIAL_IMAGE, 1),
        ("image/head_only", Output.HEAD_IMAGE, 1),
    )
    for entity, output, later in pictures:
        path = pair.root / pair.metadata.layout.file(output, pair.frame + later)
        image_size(path)
        media = {".jpg": "image/jpeg", ".png": "image/png"}[path.suffix]
        content = read_bounded(path, _MAX_IMAGE_BYTES)
        recording.log(entity, rerun.EncodedImage(contents=content, media_type=media))
    mask, depth = pair.mask, pair.depth
    tint = rerun.EncodedImage(contents=_tint(mask), media_type="image/png", draw_order=1)
    recording.log(f"{CAMERA}/mask", tint)
    on_head = depth[(mask != 0) & np.isfinite(depth)]
    span = (float(on_head.min()), float(on_head.max())) if on_head.size else None
    recording.log(f"{CAMERA}/depth", rerun.DepthImage(depth, meter=1.0, colormap="viridis", depth_range=span))


def _tint(mask: NDArray[np.uint8]) -> bytes:
    """A PNG that darkens what is not on the head."""
    cover = np.zeros((*mask.shape, 4), np.uint8)
    cover[mask == 0, 3] = 200
    buffer = io.BytesIO()
    Image.fromarray(cover).save(buffer, "png")
    return buffer.getvalue()


def _send_flows(recording: Any, pair: Pair, longest: float, longest_expression: float) -> None:
    import rerun

    facial, head = pair.facial_flow, pair.head_flow
    expression = np.where((known(facial) & known(head))[..., None], facial - head, 0)
    for name, flow, scale in zip(
        _FLOWS, (facial, head, expression), (longest, longest, longest_expression), strict=True
    ):
        picture = encode_png(flow_to_rgb(flow, scale))
        recording.log(f"flow/{name}", rerun.EncodedImage(contents=picture, media_type="image/png"))


def _send_head(recording: Any, pair: Pair, vertices: SequenceVertices, index: int) -> None:
    import rerun

    points = vertices.facial[index]
    recording.log(
        _HEAD,
        rerun.Mesh3D(
            vertex_positions=points,
            triangle_indices=vertices.faces,
            vertex_normals=vertex_normals(points, vertices.faces).astype(np.float32),
            vertex_colors=vertex_colors(points, pair),
        ),
    )


def vertex_colors(vertices: NDArray[np.float32], pair: Pair) -> NDArray[np.uint8]:
    """(V, 3) uint8: the colour of the pixel that shows each vertex (V, 3) of frame t, grey where none does."""
    image, depth = pair.image1, pair.depth
    pixels, distance = pair.metadata.get_camera(pair.frame).project(vertices)
    colors = np.full((len(vertices), 3), _GREY, np.uint8)
    column, row = np.moveaxis(np.rint(np.nan_to_num(pixels, nan=-1, posinf=-1, neginf=-1)), -1, 0)
    inside = (column >= 0) & (row >= 0) & (column < depth.shape[1]) & (row < depth.shape[0]) & (distance > 0)
    column, row = column[inside].astype(int), row[inside].astype(int)
    seen = distance[inside] <= depth[row, column] + _HIDDEN
    colors[np.flatnonzero(inside)[seen]] = image[row[seen], column[seen]]
    return colors


def _about(pair: Pair, longest: float, longest_expression: float) -> Any:
    import rerun

    about = pair.metadata
    lines = [
        f"**{about.key}**, frame {pair.frame} of {about.n_frames}",
        f"identity {about.identity}, {about.model.family} head",
        f"fullest colour: {longest:.3g} px of facial and head flow, {longest_expression:.3g} px of expression flow",
    ]
    return rerun.TextDocument("\n\n".join(lines), media_type="text/markdown")


def _longest(flows: Iterable[Flow]) -> float:
    return max((float(np.hypot(*flow[known(flow)].T).max(initial=0)) for flow in flows), default=0.0)
