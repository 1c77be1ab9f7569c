"""FLAME's vertices as trackers compute them: ``lbs`` of smplx on a model file's own arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

Array = np.ndarray[Any, Any]


def flame_vertices(
    file: Path,
    shape: Array,
    expression: Array,
    rotations: Sequence[Rotation],
    eyelids: Array | None = None,
) -> Array:
    """Vertices (V, 3) float64, metres.

    The rotations go in as matrices, so that no form in which a file may keep them is used here.

    :param file: a FLAME .npz file; the lids' blendshapes lie beside it where eyelids are given.
    :param shape: (B,) of the file's first 300 components.
    :param expression: (E,) of its last 100.
    :param rotations: of global, neck, jaw, left eye and right eye.
    :param eyelids: (2,) of the left and the right lid, added after skinning as SMIRK and metrical-tracker add them.
    """
    torch = pytest.importorskip("torch")
    lbs = pytest.importorskip("smplx.lbs").lbs
    with np.load(file) as content:
        names = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights")
        model = {name: torch.from_numpy(content[name].astype(np.float64)) for name in names}
    betas = np.zeros(400)
    betas[: len(shape)] = shape
    betas[300 : 300 + len(expression)] = expression
    vertices, _ = lbs(
        torch.from_numpy(betas[None]),
        torch.from_numpy(np.stack([rotation.as_matrix() for rotation in rotations])[None]),
        model["v_template"][None],
        model["shapedirs"],
        model["posedirs"].reshape(-1, 36).T,
        model["J_regressor"],
        torch.tensor([-1, 0, 1, 1, 1]),
        model["weights"],
        pose2rot=False,
    )
    result: Array = vertices[0].numpy()
    if eyelids is not None:
        for closed, name in zip(eyelids, ("l_eyelid.npy", "r_eyelid.npy"), strict=True):
            result = result + closed * np.load(file.parent / name)
    return result
