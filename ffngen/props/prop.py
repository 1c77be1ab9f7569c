"""Geometry that is fixed to a head, and how it follows the head's vertices.

Each vertex of a prop hangs on three vertices of the head: their orthonormal frame carries it. Three
neighbours on the skin make it move with that skin; three far apart on the skull make it move rigidly with
the head. So a prop's motion follows from the head's vertices alone, and its flow is as exact as the skin's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ffngen.head.model import HeadModel

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

#: Kinds of props, in the order in which they are appended to a head.
KINDS = ("lashes", "brows", "hair", "glasses", "collar")


@dataclass(frozen=True, eq=False)
class Prop:
    """A prop on one identity's neutral head. P vertices, F faces.

    :param kind: one of :data:`KINDS`.
    :param material: the name of a render material.
    :param anchors: (P, 3) int32: the vertices of the head that each vertex hangs on.
    :param offsets: (P, 3) float64, metres: its place in their frame (:func:`anchor_frames`).
    :param faces: (F, 3) int32, counter-clockwise from outside.
    :param tints: (P, 3) float32: colour in linear light.
    :param uv: (P, 2) float32: where on the prop, for patterns along and across it.
    """

    kind: str
    material: str
    anchors: NDArray[np.int32]
    offsets: Array64
    faces: NDArray[np.int32]
    tints: Array32
    uv: Array32

    def vertices(self, head: NDArray[np.float32]) -> Array32:
        """(T, P, 3) float32, metres: the prop on a head's posed vertices (T, V, 3)."""
        placed = np.empty((len(head), *self.offsets.shape), dtype=np.float32)
        for t, frame in enumerate(head):
            origin, axes = anchor_frames(frame, self.anchors)
            placed[t] = origin + np.einsum("pij,pj->pi", axes, self.offsets, optimize=False)
        return placed


def anchor_frames(vertices: NDArray[np.float32] | Array64, anchors: NDArray[np.int32]) -> tuple[Array64, Array64]:
    """The frames of anchors (P, 3): origins (P, 3), the corners' means, and axes (P, 3, 3) as columns.

    The first axis points from the first corner to the second, the third out of the corners' plane, so that
    the frame turns with the triangle and does not stretch with it.
    """
    # Many vertices of a prop share their anchors: a frame is made once.
    unique, inverse = np.unique(anchors, axis=0, return_inverse=True)
    corners = vertices[unique].astype(np.float64)
    along = _unit(corners[:, 1] - corners[:, 0])
    normal = _unit(np.cross(along, corners[:, 2] - corners[:, 0]))
    axes = np.stack([along, np.cross(normal, along), normal], axis=-1)
    inverse = inverse.reshape(-1)
    return corners.mean(axis=1)[inverse], axes[inverse]


def fix_to(points: Array64, head: Array64, anchors: NDArray[np.int32]) -> Array64:
    """Offsets (P, 3) that put points (P, 3) where they are, on a neutral head (V, 3); metres."""
    origin, axes = anchor_frames(head, anchors)
    return cast(Array64, np.einsum("pji,pj->pi", axes, points - origin, optimize=False))


@dataclass(frozen=True, eq=False)
class DressedHead:
    """The topology of a head with its props: the head's own vertices and faces come first.

    :param faces: (F, 3) int32.
    :param uv_coordinates: (T, 2) float32: the head's, then one per vertex of the props.
    :param uv_faces: (F, 3) int32 into them.
    :param tints: (V, 3) float32: the colour of props' vertices; 1 on the head.
    :param props: in the order of their vertices.
    """

    faces: NDArray[np.int32]
    uv_coordinates: Array32
    uv_faces: NDArray[np.int32]
    tints: Array32
    props: tuple[Prop, ...]

    def vertices(self, head: NDArray[np.float32]) -> Array32:
        """(T, V + P, 3) float32: a posed head (T, V, 3) with its props."""
        return np.concatenate([head, *(prop.vertices(head) for prop in self.props)], axis=1)

    def face_ranges(self) -> list[tuple[Prop, int, int]]:
        """Each prop with its first face and the one after its last."""
        ranges = []
        start = len(self.faces) - sum(len(prop.faces) for prop in self.props)
        for prop in self.props:
            ranges.append((prop, start, start + len(prop.faces)))
            start += len(prop.faces)
        return ranges


def dress(model: HeadModel, props: Sequence[Prop]) -> DressedHead:
    """Append props to a head model that has texture coordinates."""
    assert model.uv is not None
    faces, uv_faces = [model.faces], [model.uv.faces]
    vertex, coordinate = model.vertex_count, len(model.uv.coordinates)
    for prop in props:
        faces.append(prop.faces + np.int32(vertex))
        uv_faces.append(prop.faces + np.int32(coordinate))
        vertex += len(prop.offsets)
        coordinate += len(prop.offsets)
    return DressedHead(
        faces=np.concatenate(faces).astype(np.int32),
        uv_coordinates=np.concatenate([model.uv.coordinates, *(prop.uv for prop in props)]).astype(np.float32),
        uv_faces=np.concatenate(uv_faces).astype(np.int32),
        tints=np.concatenate([np.ones((model.vertex_count, 3)), *(prop.tints for prop in props)]).astype(np.float32),
        props=tuple(props),
    )


def _unit(vectors: Array64) -> Array64:
    return cast(Array64, vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))
