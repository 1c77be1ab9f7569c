"""Measuring one sequence of a dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import srgb_to_linear
from ffngen.dataset.arrays import SequenceVertices
from ffngen.dataset.layout import Output
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.raycast import CastFrame, cast_frame
from ffngen.dataset.read import Pair
from ffngen.dataset.regions import ModelFinder, regions_of
from ffngen.diversity.albedo import SKIN, generated_albedo
from ffngen.diversity.dlib_faces import DlibFaces, Face, face_at
from ffngen.diversity.flow_lengths import FlowLengths
from ffngen.diversity.head_pose import rigid_vertices, seen_angles
from ffngen.diversity.light import seen_light
from ffngen.diversity.measures import FrameMeasures, Lengths, SequenceMeasures
from ffngen.diversity.onnx_networks import ExpressionNetwork, IdentityNetwork
from ffngen.diversity.sample import choose_frames
from ffngen.diversity.skin_tone import median_colour
from ffngen.errors import DatasetError
from ffngen.flow.values import Flow, known
from ffngen.geometry.camera import Camera
from ffngen.geometry.rigid import rotation_between
from ffngen.head.model import HeadModel
from ffngen.images import read_image

Array64 = NDArray[np.float64]
Rgb = NDArray[np.uint8]

FLOWS = ("facial", "head", "expression")
#: The area that is all of the head.
WHOLE = "head"

#: iBUG's outer corners of the eyes.
_OUTER_CORNERS = (36, 45)
#: The jaw's rotation in a pose of 15 numbers.
_JAW = slice(6, 9)


@dataclass(frozen=True)
class Tools:
    """What sequences are measured with.

    :param models: the dataset's head models.
    :param faces: finds faces and their landmarks, and embeds them unless ``identity`` does; None where it is missing.
    :param identity: the user's face-recognition network, or None.
    :param expression: the user's expression network, or None.
    :param frames: how many frames, and how many pairs, of a sequence are measured.
    """

    models: ModelFinder
    faces: DlibFaces | None
    identity: IdentityNetwork | None
    expression: ExpressionNetwork | None
    frames: int


def measure_sequence(tools: Tools, first: Pair) -> SequenceMeasures:
    """Measure one sequence.

    :param first: any of its pairs.
    :raises FfngenError: one of its files is missing, damaged, or of another size than the camera says.
    """
    metadata, vertices = first.metadata, first.vertices
    model = tools.models(metadata)
    images, pairs = choose_frames(metadata.layout, tools.frames)
    lengths = {flow: {WHOLE: FlowLengths()} for flow in FLOWS}
    frames = []
    for number in sorted({*images, *pairs}):
        seen = _Seen.of(metadata, vertices, number, model)
        if number in pairs:
            _add_flows(lengths, Pair(first.root, metadata, number), seen)
        if number in images:
            image = read_image(first.root / metadata.layout.file(Output.FACIAL_IMAGE, number))
            _check_size(metadata, number, "image", image.shape)
            frames.append(_measure_frame(tools, metadata, image, seen))
    parameters, lighting = metadata.parameters, metadata.scene.get("lighting")
    hdri = lighting.get("hdri") if isinstance(lighting, dict) else None
    return SequenceMeasures(
        sequence=str(metadata.key),
        emotion=metadata.emotion,
        identity=metadata.identity,
        n_frames=metadata.n_frames if metadata.motion_scale else 0,
        parameters=(*parameters.expression, *parameters.pose[_JAW]),
        hdri=hdri if isinstance(hdri, str) else None,
        albedo=None if model is None else generated_albedo(model, metadata),
        flow={flow: {area: Lengths.of(one) for area, one in areas.items()} for flow, areas in lengths.items()},
        frames=tuple(frames),
    )


@dataclass(frozen=True)
class _Seen:
    """A facial frame's geometry, and what its pixels show of it, where the head model is at hand."""

    number: int
    camera: Camera
    vertices: NDArray[np.float32]
    model: HeadModel | None
    cast: CastFrame | None
    regions: dict[str, NDArray[np.bool_]]

    @classmethod
    def of(cls, metadata: SequenceMetadata, vertices: SequenceVertices, number: int, model: HeadModel | None) -> _Seen:
        place = np.flatnonzero(vertices.frames == number)
        if len(place) != 1 or (model is not None and vertices.facial.shape[1] < model.vertex_count):
            what = f"vertices.npz has not frame {number} of this head model"
            raise DatasetError(what, where=metadata.sequence, mend="check the dataset with ffngen verify")
        camera, points = metadata.get_camera(number), vertices.facial[place[0]]
        cast = None if model is None else cast_frame(points, vertices.faces, camera)
        regions = {} if model is None or cast is None else regions_of(model, cast)
        return cls(number, camera, points, model, cast, regions)

    @property
    def landmarks(self) -> Array64 | None:
        """(68, 2) pixels: our landmarks, where the head model has them."""
        if self.model is None or self.model.landmarks is None:
            return None
        return self.camera.project(self.model.landmarks.evaluate(self.vertices))[0]


def _add_flows(lengths: dict[str, dict[str, FlowLengths]], pair: Pair, seen: _Seen) -> None:
    facial, head, mask = pair.facial_flow, pair.head_flow, pair.mask > 0
    for name, shape in (("facial flow", facial.shape), ("head flow", head.shape), ("mask", mask.shape)):
        _check_size(pair.metadata, pair.frame, name, shape)
    where = mask & known(facial) & known(head)
    flows: dict[str, Flow] = {"facial": facial, "head": head, "expression": facial - head}
    for name, flow in flows.items():
        length = np.hypot(flow[..., 0], flow[..., 1])
        lengths[name][WHOLE].add(length[where])
        for region, area in seen.regions.items():
            lengths[name].setdefault(region, FlowLengths()).add(length[area & where])


def _measure_frame(tools: Tools, metadata: SequenceMetadata, image: Rgb, seen: _Seen) -> FrameMeasures:
    ours = seen.landmarks
    found = None if tools.faces is None else _find(tools.faces, image, ours)
    errors = None
    if found is not None and ours is not None:
        apart = float(np.linalg.norm(ours[_OUTER_CORNERS[0]] - ours[_OUTER_CORNERS[1]]))
        errors = tuple((np.linalg.norm(found.points - ours, axis=1) / max(apart, 1e-6)).tolist())
    # A face is embedded as its finder sees it, as anyone would; one that it misses, by our own landmarks.
    points = found.points if found is not None else ours
    recogniser = tools.identity or tools.faces
    skin, light = None, None
    if seen.cast is not None:
        linear = srgb_to_linear(image)
        area = np.zeros(image.shape[:2], dtype=bool)
        for name in SKIN:
            area |= seen.regions.get(name, False)
        skin = median_colour(linear[area])
        light = seen_light(linear, seen.cast, seen.camera.to_camera(seen.vertices), area)
    return FrameMeasures(
        frame=seen.number,
        found=None if tools.faces is None else "no" if found is None else found.by,
        landmark_errors=errors,
        identity=None if recogniser is None or points is None else _plain(recogniser.embed(image, points)),
        expression=None
        if tools.expression is None or points is None
        else _plain(tools.expression.embed(image, points)),
        skin=skin,
        pose=_pose(metadata, seen),
        light=None if light is None else (light.from_right, light.from_above, light.brightness),
    )


def _find(faces: DlibFaces, image: Rgb, ours: Array64 | None) -> Face | None:
    """Our face, where it is known, else the largest one; the slow network looks where the detector misses it."""
    for find in (faces.find, faces.find_turned):
        found = find(image)
        if ours is not None:
            face = face_at(found, ours)
        else:
            face = max(found, key=lambda face: float((face.high - face.low)[0]), default=None)
        if face is not None:
            return face
    return None


def _pose(metadata: SequenceMetadata, seen: _Seen) -> tuple[float, float, float] | None:
    if seen.model is None:
        return None
    rigid = rigid_vertices(seen.model)
    if len(rigid) < 3:
        return None
    neutral = seen.model.with_shape(metadata.parameters.betas).neutral
    return seen_angles(rotation_between(neutral[rigid], seen.vertices[rigid]), seen.camera)


def _plain(feature: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(feature.tolist())


def _check_size(metadata: SequenceMetadata, number: int, what: str, shape: tuple[int, ...]) -> None:
    width, height = metadata.size
    if shape[:2] != (height, width):
        text = f"frame {number}: the {what} is {shape[:2]}, the camera's picture {(height, width)}"
        raise DatasetError(text, where=metadata.sequence, mend="check the dataset with ffngen verify")
