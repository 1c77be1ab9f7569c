"""The reduced model is the whole model at its landmarks, and its derivatives are those of what it computes."""

import numpy as np
import pytest

from ffngen.fit.reduced import FaceState, LandmarkModel, pose_vector
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return load_head("open")


@pytest.fixture(scope="module")
def with_pose_basis(model: HeadModel) -> HeadModel:
    """The open head with pose correctives, as FLAME has them."""
    from dataclasses import replace

    rng = np.random.default_rng(5)
    return replace(model, pose_basis=(0.002 * rng.normal(size=model.pose_basis.shape)).astype(np.float32))


def state(seed: int, width: int) -> FaceState:
    rng = np.random.default_rng(seed)
    return FaceState(0.4 * rng.normal(size=3), 0.2 * rng.normal(size=3), rng.uniform(0, 1, width))


@pytest.mark.parametrize("which", ["model", "with_pose_basis"])
def test_equals_the_whole_model(which: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(which)
    columns = np.arange(model.expression_count)
    reduced = LandmarkModel(model, n_betas=60, columns=columns)
    here = state(1, len(columns))
    betas = np.random.default_rng(2).normal(size=60)
    whole = model.vertices(betas, here.expression[None], pose_vector(here.head, here.jaw)[None])[0]
    assert model.landmarks is not None
    assert np.abs(reduced.points(betas, here) - model.landmarks.evaluate(whole)).max() < 1e-7


@pytest.mark.parametrize("which", ["model", "with_pose_basis"])
def test_derivatives(which: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(which)
    reduced = LandmarkModel(model, n_betas=5, columns=[1, 24, 43])
    here, betas = state(3, 3), np.random.default_rng(4).normal(size=5)
    points, by_betas, by_expression, by_rotation = reduced.derivatives(betas, here)
    assert np.allclose(points, reduced.points(betas, here), atol=1e-12)
    step = 1e-6
    for i in range(5):
        moved = reduced.points(betas + step * np.eye(5)[i], here)
        assert np.allclose((moved - points) / step, by_betas[:, :, i], atol=1e-7)
    for i in range(3):
        other = FaceState(here.head, here.jaw, here.expression + step * np.eye(3)[i])
        assert np.allclose((reduced.points(betas, other) - points) / step, by_expression[:, :, i], atol=1e-7)
        other = FaceState(here.head + step * np.eye(3)[i], here.jaw, here.expression)
        assert np.allclose((reduced.points(betas, other) - points) / step, by_rotation[:, :, i], atol=1e-6)
        other = FaceState(here.head, here.jaw + step * np.eye(3)[i], here.expression)
        assert np.allclose((reduced.points(betas, other) - points) / step, by_rotation[:, :, 3 + i], atol=1e-6)


def test_offsets_turn_with_the_head(model: HeadModel) -> None:
    offsets = np.tile([0.0, 0.0, 0.01], (68, 1))
    plain, moved = (LandmarkModel(model, n_betas=1, columns=[0], offsets=given) for given in (None, offsets))
    quarter = FaceState(np.array([0.0, np.pi / 2, 0.0]), np.zeros(3), np.zeros(1))
    difference = moved.points(np.zeros(1), quarter) - plain.points(np.zeros(1), quarter)
    inner = difference[17:]
    assert np.abs(inner[:, 0] - 0.01).max() < 0.002  # not quite a quarter turn where the root takes a share
