"""Drawing one face's facial actions from a file of expressions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import HeadModelError, JobError
from ffngen.params.arkit import ARKIT_ACTIONS, expand, side_of
from ffngen.params.expression_file import ExpressionFile, RandomUnits, UnitUse

#: How far the units of one sample are strong or weak together; the rest is each unit's own.
_COMMON_STRENGTH = 0.6

#: Deviations at which asymmetry ends.
_MAX_DEVIATIONS = 2.5


def sample_actions(expressions: ExpressionFile, name: str, rng: np.random.Generator) -> dict[str, float]:
    """One sample of an expression.

    :param name: one of ``expressions.expressions``.
    :returns: all 52 ARKit actions with their activation in [0, 1], the file's exclusions kept.
    :raises JobError: for an expression that the file does not have.
    """
    try:
        expression = expressions.expressions[name]
    except KeyError:
        known = ", ".join(expressions.expressions)
        raise JobError(f"there is no expression {name!r}", where="emotion", mend=f"use one of {known}") from None
    asymmetry = expressions.asymmetry if expression.asymmetry is None else expression.asymmetry
    one_side = "left" if rng.random() < 0.5 else "right"
    strength = rng.random()
    # What is left of the range when each contribution has taken its share: no sum passes 1.
    rest = dict.fromkeys(ARKIT_ACTIONS, 1.0)

    def activate(unit: str, use: UnitUse, own_strength: float, difference: float) -> None:
        low, high = use.intensity
        intensity = low + (high - low) * own_strength
        side = one_side if use.side == "one" else use.side
        for action, weight in _weights(expressions, unit):
            factor = {"left": 1 + difference, "right": 1 - difference, "": 1.0}[side_of(action)]
            if side in ("both", side_of(action)):
                rest[action] *= 1 - min(1.0, max(0.0, intensity * weight * factor))

    for unit, use in expression.units.items():
        # Every unit draws the same numbers whether it takes part or not, so units do not disturb each other.
        chance, own, difference = rng.random(), rng.random(), _difference(rng, asymmetry)
        if chance < use.probability:
            activate(unit, use, _COMMON_STRENGTH * strength + (1 - _COMMON_STRENGTH) * own, difference)
    for group in (expression.random, expressions.variation):
        if group is not None:
            for unit in _choose(group, rng):
                activate(unit, UnitUse(intensity=group.intensity), rng.random(), _difference(rng, asymmetry))
    activation = {action: 1 - share for action, share in rest.items()}
    _keep_exclusions(expressions, activation)
    return activation


def to_vector(activation: dict[str, float], expression_names: Sequence[str]) -> NDArray[np.float64]:
    """Activations in the order of a model's expression basis.

    :returns: (E,) float64.
    :raises HeadModelError: if the model lacks an action that is not 0.
    """
    lacking = [action for action, value in activation.items() if value and action not in expression_names]
    if lacking:
        raise HeadModelError(
            f"the head model has no facial action {lacking[0]!r}", mend="use a model with ARKit's facial actions"
        )
    return np.array([activation.get(name, 0.0) for name in expression_names], dtype=np.float64)


def _weights(expressions: ExpressionFile, unit: str) -> list[tuple[str, float]]:
    return [(action, weight) for name, weight in expressions.action_units[unit].items() for action in expand(name)]


def _difference(rng: np.random.Generator, asymmetry: float) -> float:
    return asymmetry * float(np.clip(rng.standard_normal(), -_MAX_DEVIATIONS, _MAX_DEVIATIONS))


def _choose(group: RandomUnits, rng: np.random.Generator) -> list[str]:
    count = rng.integers(group.count[0], group.count[1], endpoint=True)
    return [group.among[i] for i in rng.permutation(len(group.among))[:count]]


def _keep_exclusions(expressions: ExpressionFile, activation: dict[str, float]) -> None:
    # Values only fall, and a pair that is kept stays kept when either falls (slack <= 1): one pass is enough.
    for exclusion in expressions.exclusions:
        for pair in exclusion.action_pairs():
            weaker, stronger = sorted(pair, key=lambda action: activation[action])
            activation[weaker] = min(activation[weaker], exclusion.slack * (1 - activation[stronger]))
