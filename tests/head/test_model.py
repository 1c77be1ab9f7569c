"""The stages of a head: padding, refusals, exactness and repeatability."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from ffngen.errors import HeadModelError
from ffngen.head.landmarks import LandmarkEmbedding
from ffngen.head.model import HeadModel

VERTICES, SHAPE, EXPRESSION = 120, 9, 7


@pytest.fixture(scope="module")
def model() -> HeadModel:
    rng = np.random.default_rng(4)
    # Weights as float32 files have them: they sum to 1 only nearly.
    weights = rng.dirichlet(np.ones(5), size=VERTICES).astype(np.float32).astype(np.float64)
    faces = rng.integers(0, VERTICES, size=(200, 3)).astype(np.int32)
    return HeadModel(
        family="open",
        version="1",
        template=rng.normal(scale=0.1, size=(VERTICES, 3)),
        faces=faces,
        shape_basis=rng.normal(scale=0.01, size=(VERTICES, 3, SHAPE)).astype(np.float32),
        expression_basis=rng.normal(scale=0.01, size=(VERTICES, 3, EXPRESSION)).astype(np.float32),
        pose_basis=rng.normal(scale=0.01, size=(VERTICES, 3, 36)).astype(np.float32),
        joint_regressor=scipy.sparse.csr_matrix(rng.dirichlet(np.ones(VERTICES), size=5)),
        skin_weights=weights,
        parents=(-1, 0, 1, 1, 1),
        uv=None,
        regions={},
        landmarks=LandmarkEmbedding(np.arange(68, dtype=np.int32), rng.dirichlet(np.ones(3), size=68), faces),
        expression_names=(),
        path=Path("made"),
    )


def test_zero_pose_and_expression_give_exactly_the_shaped_template(model: HeadModel) -> None:
    betas = np.random.default_rng(0).normal(size=SHAPE)
    shaped = model.template + model.shape_basis.astype(np.float64) @ betas
    found = model.vertices(betas, np.zeros((3, EXPRESSION)), np.zeros((3, 15)))
    assert (found == model.with_shape(betas).neutral.astype(np.float32)).all()
    np.testing.assert_allclose(found[0], shaped, rtol=0, atol=3e-8)
    assert (model.vertices([], np.zeros((1, 0)), np.zeros((1, 15)))[0] == model.template.astype(np.float32)).all()


def test_a_frame_has_the_same_bytes_whatever_is_beside_it(model: HeadModel) -> None:
    rng = np.random.default_rng(1)
    betas, expression, pose = rng.normal(size=SHAPE), rng.normal(size=(30, EXPRESSION)), rng.normal(size=(30, 15))
    together = model.vertices(betas, expression, pose)
    for t in (0, 13, 29):
        alone = model.vertices(betas, expression[t : t + 1], pose[t : t + 1])
        assert alone[0].tobytes() == together[t].tobytes()
    twice = model.vertices(betas, expression[[5, 6, 5]], pose[[5, 6, 5]])
    assert twice[0].tobytes() == twice[2].tobytes() != twice[1].tobytes()


def test_missing_coefficients_are_zero(model: HeadModel) -> None:
    rng = np.random.default_rng(2)
    betas, expression, pose = rng.normal(size=4), rng.normal(size=(2, 3)), rng.normal(size=(2, 15))
    padded = model.vertices(np.pad(betas, (0, 5)), np.pad(expression, ((0, 0), (0, 4))), pose)
    assert model.vertices(betas, expression, pose).tobytes() == padded.tobytes()


def test_the_root_turns_about_its_own_joint(model: HeadModel) -> None:
    pose = np.zeros((1, 15))
    pose[0, 1] = np.pi / 2  # about y: x -> -z, z -> x
    found = model.vertices([], np.zeros((1, 0)), pose)[0]
    root = model.joint_regressor @ model.template
    offset = model.template - root[0]
    expected = root[0] + np.stack([offset[:, 2], offset[:, 1], -offset[:, 0]], axis=1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_joints_follow_shape_and_expression(model: HeadModel) -> None:
    betas, expression = np.ones(SHAPE), np.ones((1, EXPRESSION))
    posed = model.with_shape(betas).with_pose(expression, np.zeros((1, 15)))
    face = model.template + model.shape_basis.sum(axis=2, dtype=float) + model.expression_basis.sum(axis=2, dtype=float)
    np.testing.assert_allclose(posed.joints[0], model.joint_regressor @ face, rtol=0, atol=1e-12)


def test_no_frames_give_no_vertices(model: HeadModel) -> None:
    assert model.vertices([], np.zeros((0, 2)), np.zeros((0, 15))).shape == (0, VERTICES, 3)


@pytest.mark.parametrize(
    ("betas", "expression", "pose", "message"),
    [
        (np.zeros(SHAPE + 1), np.zeros((1, 1)), np.zeros((1, 15)), "betas has 10 coefficients, .* has 9"),
        (np.zeros(1), np.zeros((1, EXPRESSION + 1)), np.zeros((1, 15)), "expression has 8 coefficients, .* has 7"),
        (np.zeros(1), np.zeros((1, 1)), np.zeros((1, 6)), "pose has 6 coefficients, .* has 15"),
        (np.zeros(1), np.zeros((2, 1)), np.zeros((3, 15)), "expression has 2 frames, but pose has 3"),
        (np.zeros((1, 1)), np.zeros((1, 1)), np.zeros((1, 15)), "betas must be one vector"),
        (np.zeros(1), np.zeros(3), np.zeros((1, 15)), "expression must be one row per frame"),
        (np.array([np.nan]), np.zeros((1, 1)), np.zeros((1, 15)), "betas holds a value that is not finite"),
        (np.zeros(1), np.full((1, 1), np.inf), np.zeros((1, 15)), "expression holds a value that is not finite"),
        (np.zeros(1), np.zeros((1, 1)), np.full((1, 15), np.nan), "pose holds a value that is not finite"),
        (["a"], np.zeros((1, 1)), np.zeros((1, 15)), "betas must be an array of numbers"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(
    model: HeadModel, betas: object, expression: object, pose: object, message: str
) -> None:
    with pytest.raises(HeadModelError, match=message):
        model.vertices(betas, expression, pose)  # type: ignore[arg-type]


def test_landmarks_lie_on_their_faces(model: HeadModel) -> None:
    assert model.landmarks is not None
    vertices = np.random.default_rng(9).normal(size=(2, 3, VERTICES, 3))
    found = model.landmarks.evaluate(vertices)
    assert found.shape == (2, 3, 68, 3)
    corners = vertices[1, 2][model.faces[41]]
    np.testing.assert_allclose(found[1, 2, 41], model.landmarks.barycentric[41] @ corners, rtol=0, atol=1e-12)
