"""Samples of the nine expressions: limits, exclusions, asymmetry, and that each is itself."""

import numpy as np
import pytest

from ffngen.errors import HeadModelError, JobError
from ffngen.job import EMOTIONS
from ffngen.params.arkit import ARKIT_ACTIONS, side_of
from ffngen.params.expression_file import ExpressionFile, default_expressions
from ffngen.params.expressions import sample_actions, to_vector

SAMPLES = 300


def draw(file: ExpressionFile, name: str, count: int = SAMPLES, seed: int = 0) -> np.ndarray:
    """(count, 52) in the order of ARKIT_ACTIONS."""
    rng = np.random.default_rng(seed)
    return np.array(
        [[sample[a] for a in ARKIT_ACTIONS] for sample in (sample_actions(file, name, rng) for _ in range(count))]
    )


@pytest.fixture(scope="module")
def samples() -> dict[str, np.ndarray]:
    return {name: draw(default_expressions(), name) for name in EMOTIONS}


def column(samples: np.ndarray, action: str) -> np.ndarray:
    return samples[:, ARKIT_ACTIONS.index(action)]


def made(**changes: object) -> ExpressionFile:
    content: dict[str, object] = {
        "action_units": {"AU12": {"mouthSmile": 1.0}, "AU15": {"mouthFrown": 1.0}, "AU26": {"jawOpen": 0.5}},
        "expressions": {"grin": {"units": {"AU12": [0.5, 0.5]}}},
    }
    return ExpressionFile.model_validate({**content, **changes})


def test_the_file_has_affectnets_classes() -> None:
    assert tuple(default_expressions().expressions) == EMOTIONS


def test_range_and_variety(samples: dict[str, np.ndarray]) -> None:
    for name, values in samples.items():
        assert np.isfinite(values).all()
        assert values.min() >= 0, name
        assert values.max() <= 1, name
        assert len(np.unique(values, axis=0)) == SAMPLES, name


def test_neutral_is_near_zero_and_none_is_mild(samples: dict[str, np.ndarray]) -> None:
    assert 0 < samples["neutral"].max() < 0.15
    assert 0.15 < samples["none"].max() < 0.6
    assert np.linalg.norm(samples["none"], axis=1).min() > np.median(np.linalg.norm(samples["neutral"], axis=1))


#: The EMFACS prototypes in ARKit's actions, written down apart from the file: what each must have, and must not.
PROTOTYPES = {
    "happy": ("mouthSmileLeft cheekSquintLeft", "mouthFrownLeft browDownLeft"),
    "sad": ("browInnerUp browDownLeft mouthFrownLeft", "mouthSmileLeft eyeWideLeft"),
    "surprise": ("browInnerUp browOuterUpLeft eyeWideLeft jawOpen", "browDownLeft mouthFrownLeft"),
    "fear": ("browInnerUp browOuterUpLeft browDownLeft eyeWideLeft mouthStretchLeft jawOpen", "mouthSmileLeft"),
    "disgust": ("noseSneerLeft mouthFrownLeft mouthLowerDownLeft", "mouthSmileLeft eyeWideLeft"),
    "anger": ("browDownLeft eyeWideLeft eyeSquintLeft mouthPressLeft", "mouthSmileLeft browInnerUp"),
}


@pytest.mark.parametrize("name", PROTOTYPES)
def test_prototypes(name: str, samples: dict[str, np.ndarray]) -> None:
    present, absent = PROTOTYPES[name]
    for left in present.split():
        for action in (left, left.replace("Left", "Right")):
            assert column(samples[name], action).min() > 0.05, action
    for left in absent.split():
        for action in (left, left.replace("Left", "Right")):
            assert column(samples[name], action).max() < 0.15, action


def test_classes_are_distinct(samples: dict[str, np.ndarray]) -> None:
    means = {name: values.mean(axis=0) for name, values in samples.items()}
    definite = [name for name in EMOTIONS if name not in ("neutral", "none")]
    for a in EMOTIONS:
        for b in EMOTIONS:
            if a < b:
                least = 1.0 if a in definite and b in definite else 0.15
                assert np.linalg.norm(means[a] - means[b]) > least, (a, b)
    # Fresh samples lie nearest to the mean of their own class.
    for name in definite:
        fresh = draw(default_expressions(), name, count=100, seed=1)
        distances = np.stack([np.linalg.norm(fresh - means[other], axis=1) for other in EMOTIONS])
        assert (distances.argmin(axis=0) == EMOTIONS.index(name)).mean() > 0.95, name


def test_exclusions_hold_and_are_needed(samples: dict[str, np.ndarray]) -> None:
    every = np.concatenate(list(samples.values()))
    free = default_expressions().model_copy(update={"exclusions": []})
    without = np.concatenate([draw(free, name) for name in EMOTIONS])
    broken = 0
    for exclusion in default_expressions().exclusions:
        for a, b in exclusion.action_pairs():
            for values, counts in ((every, False), (without, True)):
                pair = np.sort(np.stack([column(values, a), column(values, b)]), axis=0)
                excess = pair[0] > exclusion.slack * (1 - pair[1]) + 1e-12
                if counts:
                    broken += int(excess.sum())
                else:
                    assert not excess.any(), (a, b)
    assert broken > 100


@pytest.mark.parametrize(
    ("a", "b"),
    [("jawOpen", "mouthClose"), ("eyeBlinkLeft", "eyeWideLeft"), ("mouthSmileRight", "mouthFrownRight")],
)
def test_opposites_never_both_strong_even_when_asked_for(a: str, b: str) -> None:
    units = {"X": {a: 1.0}, "Y": {b: 1.0}}
    file = default_expressions().model_copy(
        update={
            "action_units": {**default_expressions().action_units, **units},
            "expressions": made(
                action_units=units, expressions={"both": {"units": {"X": [0.8, 1.0], "Y": [0.7, 1.0]}}}
            ).expressions,
        }
    )
    values = draw(file, "both")
    assert np.minimum(column(values, a), column(values, b)).max() < 0.1
    assert np.maximum(column(values, a), column(values, b)).min() > 0.6


def test_exclusions_need_one_pass() -> None:
    # A chain in which each pair lowers a member of the pair before.
    names = ["jawOpen", "mouthClose", "mouthPucker", "mouthFunnel"]
    rng = np.random.default_rng(3)
    for _ in range(200):
        order = rng.permutation(len(names))
        levels = rng.uniform(0, 1, len(names)).tolist()
        exclusions = [
            {"pair": [names[i], names[j]], "slack": float(rng.uniform())} for i in order for j in order if i < j
        ]
        file = made(
            action_units={name: {name: 1.0} for name in names},
            exclusions=exclusions,
            expressions={"x": {"units": {name: [v, v] for name, v in zip(names, levels, strict=True)}}},
        )
        sample = sample_actions(file, "x", rng)
        for exclusion in exclusions:
            low, high = sorted(sample[name] for name in exclusion["pair"])
            assert low <= exclusion["slack"] * (1 - high) + 1e-12


def test_asymmetry(samples: dict[str, np.ndarray]) -> None:
    left, right = column(samples["happy"], "mouthSmileLeft"), column(samples["happy"], "mouthSmileRight")
    unclipped = np.maximum(left, right) < 0.999
    assert (left != right).mean() > 0.9
    ratio = ((left - right) / (left + right))[unclipped]
    # Neither side is stronger on the whole; a single sample differs as the file says (0.1).
    assert abs(ratio.mean()) < 0.03
    assert 0.07 < ratio.std() < 0.12
    symmetric = draw(made(), "grin")
    np.testing.assert_array_equal(column(symmetric, "mouthSmileLeft"), column(symmetric, "mouthSmileRight"))


def test_contempt_is_of_one_side_and_of_either(samples: dict[str, np.ndarray]) -> None:
    contempt = samples["contempt"]
    sides = {}
    for side in ("Left", "Right"):
        smile, dimple = column(contempt, f"mouthSmile{side}"), column(contempt, f"mouthDimple{side}")
        sides[side] = smile > 0.12
        np.testing.assert_array_equal(sides[side], dimple > 0.12)
    assert (sides["Left"] ^ sides["Right"]).all()
    assert 0.4 < sides["Left"].mean() < 0.6


def test_units_are_strong_together(samples: dict[str, np.ndarray]) -> None:
    surprise = samples["surprise"]
    correlation = np.corrcoef(column(surprise, "browInnerUp"), column(surprise, "eyeWideLeft"))[0, 1]
    assert 0.3 < correlation < 0.95


def test_probability_side_and_fixed_intensity() -> None:
    file = made(
        expressions={
            "x": {
                "units": {
                    "AU12": {"intensity": [0.5, 0.5], "side": "left"},
                    "AU26": {"intensity": [1.0, 1.0], "probability": 0.25},
                    "AU15": {"intensity": [1.0, 1.0], "probability": 0.0},
                }
            }
        }
    )
    values = draw(file, "x", count=2000)
    np.testing.assert_allclose(column(values, "mouthSmileLeft"), 0.5)
    assert not column(values, "mouthSmileRight").any()
    assert not column(values, "mouthFrownLeft").any()
    assert set(np.round(np.unique(column(values, "jawOpen")), 12)) == {0.0, 0.5}
    assert abs((column(values, "jawOpen") > 0).mean() - 0.25) < 0.04


def test_contributions_to_one_action_saturate() -> None:
    units = {"A": {"jawOpen": 0.6}, "B": {"jawOpen": 0.5}}
    file = made(action_units=units, expressions={"x": {"units": {"A": [1.0, 1.0], "B": [1.0, 1.0]}}})
    np.testing.assert_allclose(column(draw(file, "x", 3), "jawOpen"), 1 - 0.4 * 0.5)


def test_an_optional_unit_does_not_disturb_the_others() -> None:
    def file(probability: float) -> ExpressionFile:
        units = {"AU26": {"intensity": [0, 1], "probability": probability}, "AU12": [0.0, 1.0]}
        return made(expressions={"x": {"units": units}})

    without, with_it = (sample_actions(file(p), "x", np.random.default_rng(5)) for p in (0.0, 1.0))
    assert without["jawOpen"] == 0 != with_it["jawOpen"]
    assert without["mouthSmileLeft"] == with_it["mouthSmileLeft"] > 0


def test_same_generator_same_sample() -> None:
    for name in EMOTIONS:
        np.testing.assert_array_equal(draw(default_expressions(), name, 5, 7), draw(default_expressions(), name, 5, 7))


def test_vector_follows_the_models_order() -> None:
    activation = sample_actions(default_expressions(), "happy", np.random.default_rng(0))
    names = ("extra", *reversed(ARKIT_ACTIONS))
    vector = to_vector(activation, names)
    assert vector[0] == 0
    assert vector[names.index("mouthSmileLeft")] == activation["mouthSmileLeft"] > 0


def test_model_without_an_action() -> None:
    activation = sample_actions(default_expressions(), "happy", np.random.default_rng(0))
    with pytest.raises(HeadModelError, match="no facial action 'mouthSmileLeft'; use a model"):
        to_vector(activation, [name for name in ARKIT_ACTIONS if name != "mouthSmileLeft"])


def test_unknown_expression() -> None:
    with pytest.raises(JobError, match="no expression 'joy'; use one of neutral, happy, sad"):
        sample_actions(default_expressions(), "joy", np.random.default_rng(0))


def test_sides_of_the_default_file_are_used() -> None:
    assert any(side_of(action) for action in default_expressions().actions)
    assert default_expressions().actions <= set(ARKIT_ACTIONS)
