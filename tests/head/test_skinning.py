"""Skinning against independent computations: SciPy's rotations and homogeneous matrices."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ffngen.head.skinning import blend, joint_transforms, rodrigues, skin

PARENTS = (-1, 0, 1, 1, 1)


@pytest.mark.parametrize("angle", [0.0, 1e-300, 1e-12, 1e-6, 0.99e-4, 1.01e-4, 0.3, 3.1, np.pi, 7.0])
def test_rodrigues_agrees_with_scipy(angle: float) -> None:
    axes = np.random.default_rng(3).normal(size=(50, 3))
    vectors = axes / np.linalg.norm(axes, axis=1, keepdims=True) * angle
    np.testing.assert_allclose(rodrigues(vectors), Rotation.from_rotvec(vectors).as_matrix(), rtol=0, atol=2e-15)


def test_rodrigues_of_zero_is_exactly_the_identity() -> None:
    assert (rodrigues(np.zeros((2, 3))) == np.eye(3)).all()


def _homogeneous(rotations: np.ndarray, joints: np.ndarray) -> list[np.ndarray]:
    """The textbook chain: world transforms of the joints, with their rest positions removed."""
    world: list[np.ndarray] = []
    for joint, parent in enumerate(PARENTS):
        local = np.eye(4)
        local[:3, :3] = rotations[joint]
        local[:3, 3] = joints[joint] - (joints[parent] if parent >= 0 else 0.0)
        world.append(local if parent < 0 else world[parent] @ local)
    removed = []
    for joint, transform in enumerate(world):
        back = np.eye(4)
        back[:3, 3] = -joints[joint]
        removed.append(transform @ back)
    return removed


def test_skin_agrees_with_homogeneous_matrices() -> None:
    rng = np.random.default_rng(0)
    rotations = Rotation.from_rotvec(rng.normal(size=(5, 3))).as_matrix()
    joints, rest, weights = rng.normal(size=(5, 3)), rng.normal(size=(40, 3)), rng.dirichlet(np.ones(5), size=40)
    world = _homogeneous(rotations, joints)
    points = np.concatenate([rest, np.ones((40, 1))], axis=1)
    expected = sum(weights[:, j, None] * (points @ world[j].T)[:, :3] for j in range(5))
    found = skin(rest, weights, joint_transforms(rotations, joints, PARENTS))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    assert np.abs(found - rest).max() > 0.1


def test_no_rotation_moves_nothing_at_all() -> None:
    rng = np.random.default_rng(1)
    rest, weights = rng.normal(size=(40, 3)), rng.dirichlet(np.ones(5), size=40).astype(np.float32).astype(float)
    transforms = joint_transforms(np.broadcast_to(np.eye(3), (5, 3, 3)), rng.normal(size=(5, 3)), PARENTS)
    assert (skin(rest, weights, transforms) == rest).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blend_sums_in_float64(dtype: type) -> None:
    rng = np.random.default_rng(2)
    basis, coefficients = rng.normal(size=(30, 3, 400)).astype(dtype), rng.normal(size=400)
    expected = basis.astype(np.float64) @ coefficients
    np.testing.assert_allclose(blend(basis, coefficients), expected, rtol=0, atol=1e-12)
    assert (blend(basis, np.zeros(400)) == 0.0).all()
