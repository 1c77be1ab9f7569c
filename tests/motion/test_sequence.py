"""Equations 2 to 4, written out frame by frame beside the vectorised code."""

from dataclasses import replace

import numpy as np
import pytest

from ffngen.errors import JobError
from ffngen.motion.profile import MotionProfile
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
    assert sequence.facial.expression.shape == (len(ts), 52)
    assert sequence.facial.pose.shape == (len(ts), 15)
    assert sequence.head.expression.shape == (len(ts) - 1, 52)
    assert sequence.head.pose.shape == (len(ts) - 1, 15)
    for row, t in enumerate(ts):
        np.testing.assert_allclose(sequence.facial.expression[row], t * parameters.expression / n, rtol=1e-15)
        np.testing.assert_allclose(sequence.facial.pose[row], t * parameters.pose / n, rtol=1e-15)
    for row, t in enumerate(ts[:-1]):
        np.testing.assert_allclose(sequence.head.expression[row], t * parameters.expression / n, rtol=1e-15)
        np.testing.assert_allclose(sequence.head.pose[row], (t + 1) * parameters.pose / n, rtol=1e-15)
    np.testing.assert_array_equal(sequence.betas, parameters.betas)


@pytest.mark.parametrize("n", range(2, 121))
def test_last_facial_frame_is_exactly_the_target(n: int) -> None:
    # (t * x) / n misses x by a bit for most n (3, for one); x * (t / n) does not.
    parameters = target(n)
    sequence = make_sequence(parameters, n)
    assert sequence.facial.expression[-1].tobytes() == parameters.expression.tobytes()
    assert sequence.facial.pose[-1].tobytes() == parameters.pose.tobytes()


def test_neutral_frame_is_exactly_neutral() -> None:
    sequence = make_sequence(target(), 7, include_neutral=True)
    assert not sequence.facial.expression[0].any()
    assert not sequence.facial.pose[0].any()
    assert not sequence.head.expression[0].any()


@pytest.mark.parametrize("n", [2, 3, 10, 49])
def test_neutral_frame_only_prepends(n: int) -> None:
    with_neutral, without = make_sequence(target(), n, include_neutral=True), make_sequence(target(), n)
    for kind in ("facial", "head"):
        for name in ("expression", "pose", "translation", "eyelids"):
            longer, shorter = (getattr(getattr(sequence, kind), name) for sequence in (with_neutral, without))
            assert longer[1:].tobytes() == shorter.tobytes()


@pytest.mark.parametrize("n", [2, 3, 10, 49, 97])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_without_expression_head_frames_are_the_facial_frames_bit_for_bit(n: int, zero: float) -> None:
    sequence = make_sequence(target(expression=np.full(52, zero)), n)
    assert sequence.head.expression.tobytes() == sequence.facial.expression[1:].tobytes()
    assert sequence.head.pose.tobytes() == sequence.facial.pose[1:].tobytes()


@pytest.mark.parametrize("n", [2, 3, 10, 49, 97])
def test_each_head_frame_shares_the_expression_before_and_the_pose_after(n: int) -> None:
    sequence = make_sequence(target(), n)
    assert sequence.head.expression.tobytes() == sequence.facial.expression[:-1].tobytes()
    assert sequence.head.pose.tobytes() == sequence.facial.pose[1:].tobytes()
    assert (sequence.head.expression != sequence.facial.expression[1:]).all()


def test_jaw_may_stay_with_the_expression() -> None:
    parameters = target()
    by_pose, by_expression = (make_sequence(parameters, 10, jaw_motion=m) for m in ("pose", "expression"))
    np.testing.assert_array_equal(by_expression.facial.pose, by_pose.facial.pose)
    np.testing.assert_array_equal(by_expression.head.expression, by_pose.head.expression)
    np.testing.assert_array_equal(by_expression.head.pose[:, JAW], by_pose.facial.pose[:-1, JAW])
    assert (by_expression.head.pose[:, JAW] != by_pose.head.pose[:, JAW]).all()
    others = np.delete(np.arange(15), np.arange(15)[JAW])
    np.testing.assert_array_equal(by_expression.head.pose[:, others], by_pose.head.pose[:, others])


def test_arrays_cannot_be_changed() -> None:
    sequence = make_sequence(target(), 5)
    for array in (sequence.betas, sequence.facial.expression, sequence.facial.pose, sequence.head.expression):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


@pytest.mark.parametrize("n", [1, 0, -3])
def test_too_few_frames(n: int) -> None:
    with pytest.raises(JobError, match=f"at least 2 frames, not {n}") as caught:
        make_sequence(target(), n)
    assert "\n" not in str(caught.value)


def test_unknown_jaw_motion() -> None:
    with pytest.raises(JobError, match="unknown jaw motion 'both'; use pose or expression"):
        make_sequence(target(), 5, jaw_motion="both")  # type: ignore[arg-type]


def test_the_place_stays_and_the_lids_move_with_the_expression() -> None:
    parameters = replace(target(), translation=np.array([0.1, -0.2, 0.3]), eyelids=np.array([0.5, 1.0]))
    sequence = make_sequence(parameters, 4)
    np.testing.assert_array_equal(sequence.facial.translation, np.tile(parameters.translation, (4, 1)))
    np.testing.assert_array_equal(sequence.head.translation, np.tile(parameters.translation, (3, 1)))
    np.testing.assert_allclose(sequence.facial.eyelids, np.arange(1, 5)[:, None] / 4 * parameters.eyelids)
    np.testing.assert_array_equal(sequence.head.eyelids, sequence.facial.eyelids[:-1])


def test_profiles() -> None:
    """Each curve at its marked moments, and what head-only frames make of it."""
    parameters = target()
    ease = make_sequence(parameters, 8, include_neutral=True, profile=MotionProfile("ease"))
    share = ease.facial.pose[:, 0] / parameters.pose[0]
    np.testing.assert_allclose(share[[0, 2, 4, 6, 8]], [0, 5 / 32, 1 / 2, 27 / 32, 1], atol=1e-12)
    steps = np.diff(share)
    assert (steps > 0).all() and steps[0] < steps[3] and steps[-1] < steps[4]
    np.testing.assert_allclose(ease.facial.expression[:, 3] / parameters.expression[3], share, atol=1e-12)

    micro = make_sequence(parameters, 8, include_neutral=True, profile=MotionProfile("micro"))
    share = micro.facial.expression[:, 3] / parameters.expression[3]
    np.testing.assert_allclose(share[[0, 2, 4, 6, 8]], [0, 0.125, 0.25, 0.125, 0], atol=1e-12)
    np.testing.assert_allclose(micro.facial.pose[:, 0] / parameters.pose[0], np.arange(9) / 8, atol=1e-12)
    np.testing.assert_array_equal(micro.head.expression, micro.facial.expression[:-1])

    small = make_sequence(parameters, 5, profile=MotionProfile("linear", 0.1))
    np.testing.assert_allclose(small.facial.expression[-1], 0.1 * parameters.expression)
    np.testing.assert_array_equal(small.facial.pose[-1], parameters.pose)

    steady = make_sequence(parameters, 5, profile=MotionProfile("ease", pose_amplitude=0.25))
    np.testing.assert_allclose(steady.facial.pose[-1], 0.25 * parameters.pose)
    np.testing.assert_array_equal(steady.facial.expression[-1], parameters.expression)
