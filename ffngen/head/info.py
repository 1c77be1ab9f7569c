"""A description of a head model, for people and for scripts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ffngen.head.model import HeadModel

#: FLAME's joints, in order.
JOINT_NAMES = ("root", "neck", "jaw", "left_eye", "right_eye")


def describe(model: HeadModel) -> dict[str, Any]:
    """What a head model is and has, JSON-ready. Lengths are metres, in the head frame (CONVENTIONS.md)."""
    joints = model.joint_regressor @ model.template
    return {
        "family": model.family,
        "version": model.version,
        "digest": model.digest,
        "path": str(model.path),
        "vertices": model.vertex_count,
        "faces": len(model.faces),
        "identity_coefficients": model.shape_count,
        "identity_coefficients_in_use": _used(model.shape_basis),
        "expression_coefficients": model.expression_count,
        "expression_coefficients_in_use": _used(model.expression_basis),
        "expression_names": list(model.expression_names),
        "texture_vertices": None if model.uv is None else len(model.uv.coordinates),
        "regions": {name: len(faces) for name, faces in model.regions.items()},
        "landmarks": 0 if model.landmarks is None else len(model.landmarks.face_index),
        "extent": {
            "low": _rounded(model.template.min(axis=0)),
            "high": _rounded(model.template.max(axis=0)),
        },
        "joints": {name: _rounded(joint) for name, joint in zip(JOINT_NAMES, joints, strict=True)},
    }


def _used(basis: np.ndarray[Any, np.dtype[np.float32]]) -> int:
    """How many components of a basis (V, 3, C) move anything."""
    return int(np.any(basis != 0.0, axis=(0, 1)).sum())


def _rounded(point: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    return [round(float(value), 6) for value in point]
