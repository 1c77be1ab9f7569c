"""The head model: a template, its linear bases, its joints and what is known of its surface."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from ffngen.head.landmarks import LandmarkEmbedding
from ffngen.head.skinning import Array64, blend
from ffngen.head.stages import ShapedHead, checked_offset, padded_coefficients
from ffngen.head.uv_map import UvMap


@dataclass(frozen=True, eq=False)
class HeadModel:
    """A statistical head in FLAME's form. V vertices, F faces, B identity and E expression coefficients.

    :param family: whose coefficients it takes: ``flame2020``, ``flame2023``, ``flame2023_open`` or ``open``.
    :param version: which edition of the family.
    :param template: (V, 3) float64, metres.
    :param faces: (F, 3) int32, counter-clockwise from outside.
    :param shape_basis: (V, 3, B) float32, metres per standard deviation.
    :param expression_basis: (V, 3, E) float32, metres per unit.
    :param pose_basis: (V, 3, 36) float32, metres per unit of ``R - I`` of joints 1 to 4.
    :param joint_regressor: sparse CSR (5, V) float64: the joints of shaped vertices.
    :param skin_weights: (V, 5) float64; each row sums to 1.
    :param parents: the parent of root, neck, jaw, left eye and right eye; -1 for the root.
    :param uv: texture coordinates.
    :param regions: name -> sorted indices of faces, int32. Regions may overlap; ``face`` holds several others.
    :param landmarks: the 68 iBUG landmarks, where the model has them.
    :param expression_names: one name per expression coefficient; empty where they have none (FLAME).
    :param path: the file that it was read from.
    :param eyelids: (2, V, 3) float32, metres: how far the trackers' eyelid blendshapes close the left and the right
        lid, or None where they do not lie beside the model. They are added to posed vertices as they are, not turned
        with the head, as SMIRK and metrical-tracker do it.
    """

    family: str
    version: str
    template: Array64
    faces: NDArray[np.int32]
    shape_basis: NDArray[np.float32]
    expression_basis: NDArray[np.float32]
    pose_basis: NDArray[np.float32]
    joint_regressor: scipy.sparse.csr_matrix
    skin_weights: Array64
    parents: tuple[int, int, int, int, int]
    uv: UvMap | None
    regions: Mapping[str, NDArray[np.int32]]
    landmarks: LandmarkEmbedding | None
    expression_names: tuple[str, ...]
    path: Path
    eyelids: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        # The digest and the float64 bases are computed once.
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self.template)

    @property
    def shape_count(self) -> int:
        """B, the number of identity coefficients."""
        return self.shape_basis.shape[2]

    @property
    def expression_count(self) -> int:
        """E, the number of expression coefficients."""
        return self.expression_basis.shape[2]

    @cached_property
    def expression_basis_64(self) -> Array64:
        """``expression_basis`` as float64, for summing."""
        return np.ascontiguousarray(self.expression_basis, dtype=np.float64)

    @cached_property
    def pose_basis_64(self) -> Array64:
        """``pose_basis`` as float64, for summing."""
        return np.ascontiguousarray(self.pose_basis, dtype=np.float64)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the numbers that make vertices, whatever file format they came in."""
        arrays = {
            "template": self.template.astype("<f8"),
            "faces": self.faces.astype("<i4"),
            "shape_basis": self.shape_basis.astype("<f4"),
            "expression_basis": self.expression_basis.astype("<f4"),
            "pose_basis": self.pose_basis.astype("<f4"),
            "joint_regressor": self.joint_regressor.toarray().astype("<f8"),
            "skin_weights": self.skin_weights.astype("<f8"),
            "parents": np.array(self.parents, dtype="<i4"),
        }
        if self.eyelids is not None:
            arrays["eyelids"] = self.eyelids.astype("<f4")
        state = hashlib.sha256()
        for name, array in arrays.items():
            state.update(f"{name} {array.shape} {array.dtype.str}\n".encode())
            state.update(np.ascontiguousarray(array).data)
        return state.hexdigest()

    def with_shape(self, betas: ArrayLike, static_offset: ArrayLike | None = None) -> ShapedHead:
        """This model with an identity.

        :param betas: (B',), B' <= B, standard deviations; the missing ones are 0.
        :param static_offset: (V, 3), metres: what the identity has beside its betas, or None.
        :raises HeadModelError: for another shape, too many coefficients, or values that are not finite.
        """
        coefficients = padded_coefficients(betas, self.shape_count, "betas", ndim=1)
        neutral = self.template + blend(self.shape_basis, coefficients)
        if static_offset is not None:
            neutral = neutral + checked_offset(static_offset, neutral.shape, "static_offset")
        return ShapedHead(model=self, neutral=neutral)

    def vertices(self, betas: ArrayLike, expression: ArrayLike, pose: ArrayLike) -> NDArray[np.float32]:
        """Vertices of one identity over frames: the three stages in one call.

        :param betas: (B',), B' <= B, standard deviations.
        :param expression: (T, E'), E' <= E.
        :param pose: (T, 15), radians, axis-angle of global, neck, jaw, left eye and right eye.
        :returns: (T, V, 3) float32, metres.
        :raises HeadModelError: as :meth:`with_shape` and :meth:`ShapedHead.with_pose`.
        """
        return self.with_shape(betas).with_pose(expression, pose).vertices()
