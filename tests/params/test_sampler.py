"""Sampled parameter sets: what each number depends on, and how it is spread."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ffngen.errors import HeadModelError, JobError
from ffngen.job import EMOTIONS
from ffngen.params.arkit import ARKIT_ACTIONS
from ffngen.params.draw import Stream, generator, truncated_normal
from ffngen.params.expression_file import ExpressionFile
from ffngen.params.head_pose import HeadPoseRange
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.sampler import emotion_for, sample_flame_parameter_set, sample_parameter_set

VECTORS = ("betas", "expression", "pose")


def sample(seed: int = 0, identity: int = 0, expression: int = 0, emotion: str = "happy", n: int = 100) -> ParameterSet:
    return sample_parameter_set(
        n, ARKIT_ACTIONS, seed=seed, identity_index=identity, emotion=emotion, expression_index=expression
    )


def equal(a: ParameterSet, b: ParameterSet) -> dict[str, bool]:
    return {name: getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in VECTORS}


def test_form() -> None:
    parameters = sample(seed=3, identity=12, expression=2)
    assert parameters.betas.shape == (100,)
    assert parameters.expression.shape == (52,)
    assert parameters.family == "open"
    assert parameters.identity == "open-000012"
    assert parameters.emotion == "happy"
    assert parameters.source == "sampler: seed 3, identity 12, expression 2"


def test_same_key_same_numbers_in_any_order() -> None:
    forwards = [sample(0, i, e) for i in range(4) for e in range(3)]
    backwards = [sample(0, i, e) for i in reversed(range(4)) for e in reversed(range(3))][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert all(equal(a, b).values())


def test_another_process_makes_the_same_numbers() -> None:
    code = (
        "from ffngen.params.sampler import sample_parameter_set as s;"
        "from ffngen.params.arkit import ARKIT_ACTIONS as n;"
        "p = s(100, n, seed=0, identity_index=0, emotion='happy');"
        "print((p.betas.tobytes() + p.expression.tobytes() + p.pose.tobytes()).hex())"
    )
    root = Path(__file__).resolve().parents[2]
    printed = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    here = sample()
    assert printed.strip() == b"".join(getattr(here, name).tobytes() for name in VECTORS).hex()


def test_what_depends_on_what() -> None:
    base = sample()
    assert equal(base, sample(expression=1)) == {"betas": True, "expression": False, "pose": False}
    assert equal(base, sample(emotion="sad")) == {"betas": True, "expression": False, "pose": True}
    assert equal(base, sample(identity=1)) == {"betas": False, "expression": False, "pose": False}
    assert equal(base, sample(seed=1)) == {"betas": False, "expression": False, "pose": False}
    # A larger basis continues the same person.
    np.testing.assert_array_equal(sample(n=150).betas[:100], base.betas)


def test_streams_and_seeds_never_meet() -> None:
    keys = [
        (seed, stream, i, e) for seed in (0, 1, 2**32, 2**40) for stream in Stream for i in range(4) for e in range(4)
    ]
    first = {generator(*key).bytes(16) for key in keys}
    assert len(first) == len(keys)


@pytest.mark.parametrize(
    "change", [{"seed": -1}, {"seed": 2**63}, {"identity": -1}, {"identity": 2**32}, {"expression": -1}]
)
def test_impossible_keys(change: dict[str, int]) -> None:
    with pytest.raises(JobError, match="must lie in 0 to") as caught:
        sample(**change)
    assert "\n" not in str(caught.value)


def test_betas_are_standard_normal_within_limits() -> None:
    betas = np.stack([sample(identity=i).betas for i in range(200)])
    assert np.abs(betas).max() <= 2.5
    assert np.abs(betas).max() > 2.4
    assert abs(betas.mean()) < 6 / np.sqrt(betas.size)
    # Variance of a standard normal cut at c: 1 - 2 c phi(c) / (2 Phi(c) - 1) = 0.9113 for c = 2.5.
    assert abs(betas.var() - 0.9113) < 0.04
    # Components, and people, have nothing to do with each other.
    assert np.abs(np.corrcoef(betas.T) - np.eye(100)).max() < 0.4
    distances = np.linalg.norm(betas[:, None] - betas[None], axis=-1)[~np.eye(200, dtype=bool)]
    assert distances.min() > 8


def test_truncated_normal_matches_rejection() -> None:
    drawn = np.sort(truncated_normal(np.random.default_rng(0), 20_000, limit=1.5))
    plain = np.random.default_rng(1).standard_normal(60_000)
    kept = np.sort(plain[np.abs(plain) <= 1.5][:20_000])
    assert kept.size == 20_000
    # Two-sample Kolmogorov-Smirnov; 0.0195 is its bound for 1 in 1000.
    grid = np.linspace(-1.5, 1.5, 500)
    assert np.abs(np.searchsorted(drawn, grid) - np.searchsorted(kept, grid)).max() / 20_000 < 0.0195
    assert not truncated_normal(np.random.default_rng(0), 0, limit=1.0).size


def test_own_expressions_and_pose_range() -> None:
    file = ExpressionFile.model_validate(
        {"action_units": {"A": {"jawOpen": 1.0}}, "expressions": {"agape": {"units": {"A": [1.0, 1.0]}}}}
    )
    still = HeadPoseRange(yaw=0, pitch=0, roll=0, gaze=0, vergence=0)
    parameters = sample_parameter_set(
        5, ("jawOpen",), seed=0, identity_index=0, emotion="agape", expressions=file, pose_range=still
    )
    assert parameters.expression.tolist() == [1.0]
    assert parameters.emotion == "agape"
    assert not parameters.pose.any()


def test_flame() -> None:
    active_betas, active_expression = np.arange(300) < 60, np.zeros(100, dtype=bool)
    sets = [
        sample_flame_parameter_set(active_betas, active_expression, family="flame2023_open", seed=0, identity_index=i)
        for i in range(100)
    ]
    assert all((s.family, s.emotion) == ("flame2023_open", "none") for s in sets)
    assert sets[7].identity == "flame2023_open-000007"
    betas, poses = np.stack([s.betas for s in sets]), np.stack([s.pose for s in sets])
    assert betas.shape == (100, 300)
    assert not betas[:, 60:].any()
    assert 0.85 < betas[:, :60].std() < 1.05
    assert not np.stack([s.expression for s in sets]).any()
    assert poses[:, 6].min() >= 0
    assert 0.25 < poses[:, 6].max() <= 0.3
    assert poses[:, 6].std() > 0.05


def test_flame_expression_is_drawn_where_there_is_a_basis() -> None:
    active = np.arange(50) % 2 == 0
    first, second = (
        sample_flame_parameter_set(
            np.ones(10, dtype=bool), active, family="flame2020", seed=0, identity_index=0, expression_index=e
        )
        for e in (0, 1)
    )
    np.testing.assert_array_equal(first.expression != 0, active)
    assert np.abs(first.expression).max() <= 2.5
    assert equal(first, second) == {"betas": True, "expression": False, "pose": False}


@pytest.mark.parametrize("active", [np.ones(5), np.ones((5, 2), dtype=bool), [0, 1, 2]])
def test_flame_needs_a_mask(active: object) -> None:
    with pytest.raises(HeadModelError, match="one vector of bool"):
        sample_flame_parameter_set(active, np.ones(5, dtype=bool), family="flame2020", seed=0, identity_index=0)  # type: ignore[arg-type]


def test_flame_family_must_be_known() -> None:
    with pytest.raises(HeadModelError, match="unknown model family 'flame'"):
        sample_flame_parameter_set([True], [True], family="flame", seed=0, identity_index=0)


def test_emotions_in_turn() -> None:
    assert [emotion_for(i, EMOTIONS) for i in range(18)] == [*EMOTIONS, *EMOTIONS]
    assert [emotion_for(4, EMOTIONS, e) for e in range(9)] == [*EMOTIONS[4:], *EMOTIONS[:4]]
    assert {emotion_for(i, ("sad",)) for i in range(5)} == {"sad"}
    with pytest.raises(JobError, match="no emotions to choose from"):
        emotion_for(0, ())
