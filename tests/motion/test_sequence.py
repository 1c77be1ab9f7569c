"""Equations 2 to 4, written out frame by frame beside the vectorised code."""

import numpy as np
import pytest

from ffngen.errors import JobError
from ffngen.motion.sequence import make_sequence
from ffngen.params.parameter_set import ParameterSet

JAW = slice(6, 9)


def target(seed: int = 0, expression: np.ndarray | None = None) -> ParameterSet:
    rng = np.random.default_rng(seed)
    psi = rng.normal(size=52) if expression is None else expression
    return ParameterSet(rng.normal(size=20), psi, rng.normal(size=15), "open", "open-000000", "none", "test")


@pytest.mark.parametrize("n", [2, 5, 10, 15, 20, 49, 103])
@pytest.mark.parametrize("include_neutral", [False, True])
def test_equations(n: int, include_neutral: bool) -> None:
    parameters = target(n)
    sequence = make_sequence(parameters, n, include_neutral=include_neutral)
    ts = list(range(0 if include_neutral else 1, n + 1))
    assert list(sequence.frame_numbers) == ts
    assert sequence.facial_expression.shape == (len(ts), 52)
    assert sequence.facial_pose.shape == (len(ts), 15)
    assert sequence.head_expression.shape == (len(ts) - 1, 52)
    assert sequence.head_pose.shape == (len(ts) - 1, 15)
    for row, t in enumerate(ts):
        np.testing.assert_allclose(sequence.facial_expression[row], t * parameters.expression / n, rtol=1e-15)
        np.testing.assert_allclose(sequence.facial_pose[row], t * parameters.pose / n, rtol=1e-15)
    for row, t in enumerate(ts[:-1]):
        np.testing.assert_allclose(sequence.head_expression[row], t * parameters.expression / n, rtol=1e-15)
        np.testing.assert_allclose(sequence.head_pose[row], (t + 1) * parameters.pose / n, rtol=1e-15)
    np.testing.assert_array_equal(sequence.betas, parameters.betas)
    assert sequence.motion_scale == 1 / n
    assert sequence.n_frames == n
    assert sequence.include_neutral is include_neutral


@pytest.mark.parametrize("n", range(2, 121))
def test_last_facial_frame_is_exactly_the_target(n: int) -> None:
    # (t * x) / n misses x by a bit for most n (3, for one); x * (t / n) does not.
    parameters = target(n)
    sequence = make_sequence(parameters, n)
    assert sequence.facial_expression[-1].tobytes() == parameters.expression.tobytes()
    assert sequence.facial_pose[-1].tobytes() == parameters.pose.tobytes()


def test_neutral_frame_is_exactly_neutral() -> None:
    sequence = make_sequence(target(), 7, include_neutral=True)
    assert not sequence.facial_expression[0].any()
    assert not sequence.facial_pose[0].any()
    assert not sequence.head_expression[0].any()


@pytest.mark.parametrize("n", [2, 3, 10, 49])
def test_neutral_frame_only_prepends(n: int) -> None:
    with_neutral, without = make_sequence(target(), n, include_neutral=True), make_sequence(target(), n)
    for name in ("facial_expression", "facial_pose", "head_expression", "head_pose"):
        assert getattr(with_neutral, name)[1:].tobytes() == getattr(without, name).tobytes()


@pytest.mark.parametrize("n", [2, 3, 10, 49, 97])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_without_expression_head_frames_are_the_facial_frames_bit_for_bit(n: int, zero: float) -> None:
    sequence = make_sequence(target(expression=np.full(52, zero)), n)
    assert sequence.head_expression.tobytes() == sequence.facial_expression[1:].tobytes()
    assert sequence.head_pose.tobytes() == sequence.facial_pose[1:].tobytes()


@pytest.mark.parametrize("n", [2, 3, 10, 49, 97])
def test_each_head_frame_shares_the_expression_before_and_the_pose_after(n: int) -> None:
    sequence = make_sequence(target(), n)
    assert sequence.head_expression.tobytes() == sequence.facial_expression[:-1].tobytes()
    assert sequence.head_pose.tobytes() == sequence.facial_pose[1:].tobytes()
    assert (sequence.head_expression != sequence.facial_expression[1:]).all()


def test_jaw_may_stay_with_the_expression() -> None:
    parameters = target()
    by_pose, by_expression = (make_sequence(parameters, 10, jaw_motion=m) for m in ("pose", "expression"))
    np.testing.assert_array_equal(by_expression.facial_pose, by_pose.facial_pose)
    np.testing.assert_array_equal(by_expression.head_expression, by_pose.head_expression)
    np.testing.assert_array_equal(by_expression.head_pose[:, JAW], by_pose.facial_pose[:-1, JAW])
    assert (by_expression.head_pose[:, JAW] != by_pose.head_pose[:, JAW]).all()
    others = np.delete(np.arange(15), np.arange(15)[JAW])
    np.testing.assert_array_equal(by_expression.head_pose[:, others], by_pose.head_pose[:, others])


def test_arrays_cannot_be_changed() -> None:
    sequence = make_sequence(target(), 5)
    for name in ("betas", "facial_expression", "facial_pose", "head_expression", "head_pose"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(sequence, name)[0] = 1.0


@pytest.mark.parametrize("n", [1, 0, -3])
def test_too_few_frames(n: int) -> None:
    with pytest.raises(JobError, match=f"at least 2 frames, not {n}") as caught:
        make_sequence(target(), n)
    assert "\n" not in str(caught.value)


def test_unknown_jaw_motion() -> None:
    with pytest.raises(JobError, match="unknown jaw motion 'both'; use pose or expression"):
        make_sequence(target(), 5, jaw_motion="both")  # type: ignore[arg-type]
