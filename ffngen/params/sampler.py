"""Parameter sets without a tracker: random identities with expressions and poses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ffngen.errors import HeadModelError, JobError
from ffngen.params.draw import Stream, generator, truncated_normal
from ffngen.params.expression_file import ExpressionFile, default_expressions
from ffngen.params.expressions import sample_actions, to_vector
from ffngen.params.head_pose import HeadPoseRange, sample_pose
from ffngen.params.parameter_set import ParameterSet

#: Standard deviations; beyond it a linear basis makes faces that nobody has.
COEFFICIENT_LIMIT = 2.5

#: FLAME's jaw has no action of its own, so its pose opens it: 0.3 rad is a mouth well open.
FLAME_POSE_RANGE = HeadPoseRange(jaw=0.3)


def sample_parameter_set(
    n_betas: int,
    expression_names: Sequence[str],
    *,
    seed: int,
    identity_index: int,
    emotion: str,
    expression_index: int = 0,
    expressions: ExpressionFile | None = None,
    pose_range: HeadPoseRange | None = None,
) -> ParameterSet:
    """A parameter set for the open head, or another whose expression basis is ARKit's facial actions.

    The identity depends on (seed, identity_index) alone, the pose also on ``expression_index``, the
    expression also on ``emotion`` and the file.

    :param n_betas: B, the size of the identity basis.
    :param expression_names: (E,) what each component of the expression basis is called.
    :param emotion: an expression of the file; the set's label.
    :param expression_index: which of the identity's expressions.
    :param expressions: AffectNet's nine classes by default.
    :raises JobError: for an unknown emotion or a negative seed or index.
    :raises HeadModelError: for a model that lacks an action.
    """
    file = default_expressions() if expressions is None else expressions
    activation = sample_actions(file, emotion, generator(seed, Stream.EXPRESSION, identity_index, expression_index))
    return ParameterSet(
        betas=truncated_normal(generator(seed, Stream.IDENTITY, identity_index), n_betas, limit=COEFFICIENT_LIMIT),
        expression=to_vector(activation, expression_names),
        pose=sample_pose(
            HeadPoseRange() if pose_range is None else pose_range,
            generator(seed, Stream.POSE, identity_index, expression_index),
        ),
        family="open",
        identity=sampled_identity("open", identity_index),
        emotion=emotion,
        source=_source(seed, identity_index, expression_index),
    )


def sample_flame_parameter_set(
    active_betas: ArrayLike,
    active_expression: ArrayLike,
    *,
    family: str,
    seed: int,
    identity_index: int,
    expression_index: int = 0,
    pose_range: HeadPoseRange = FLAME_POSE_RANGE,
) -> ParameterSet:
    """A parameter set for a FLAME model: random coefficients, head pose and jaw opening.

    FLAME's expression components have no names to build an emotion from; the label is ``none``.

    :param active_betas: (B,) bool, which components of the identity basis are not zero; the others stay 0.
    :param active_expression: (E,) bool, the same of the expression basis.
    :param family: the model's family.
    :raises JobError: for a negative seed or index.
    """
    return ParameterSet(
        betas=_coefficients(active_betas, generator(seed, Stream.IDENTITY, identity_index)),
        expression=_coefficients(
            active_expression, generator(seed, Stream.EXPRESSION, identity_index, expression_index)
        ),
        pose=sample_pose(pose_range, generator(seed, Stream.POSE, identity_index, expression_index)),
        family=family,
        identity=sampled_identity(family, identity_index),
        emotion="none",
        source=_source(seed, identity_index, expression_index),
    )


def sampled_identity(family: str, identity_index: int) -> str:
    """The name of a sampled identity."""
    return f"{family}-{identity_index:06d}"


def emotion_for(identity_index: int, emotions: Sequence[str], expression_index: int = 0) -> str:
    """The emotion of an identity's expression: each in turn, whatever the number of identities.

    :raises JobError: if there are no emotions.
    """
    if not emotions:
        raise JobError("there are no emotions to choose from", where="emotion", mend="name at least one")
    return emotions[(identity_index + expression_index) % len(emotions)]


def _coefficients(active: ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
    mask = np.asarray(active)
    if mask.dtype != np.bool_ or mask.ndim != 1:
        raise HeadModelError(f"active components must be one vector of bool, not {mask.dtype} of shape {mask.shape}")
    return np.where(mask, truncated_normal(rng, mask.size, limit=COEFFICIENT_LIMIT), 0.0)


def _source(seed: int, identity_index: int, expression_index: int) -> str:
    return f"sampler: seed {seed}, identity {identity_index}, expression {expression_index}"
