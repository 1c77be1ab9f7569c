"""Who shows what in a made-up set of micro-expressions, and how far the head turns meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import JobError
from ffngen.head.model import HeadModel
from ffngen.params.parameter_set import JOINTS, ParameterSet
from ffngen.params.sampler import sample_parameter_set
from ffngen.simulation.classes import FIVE_CLASSES, micro_expressions

#: The joints that turn a head; the rest of the pose is 0.
_HEAD = slice(0, 3 * (JOINTS.index("neck") + 1))
#: A head does not turn further than this in the time of a micro-expression, radians.
MAX_TURN = 0.6
#: Corrections of the turn; each takes the ratio's error down by an order of magnitude.
_CORRECTIONS = 3


@dataclass(frozen=True)
class SimulationSettings:
    """What decides a made-up set's parameters.

    :param subjects: how many people.
    :param clips: of each class and person.
    :param classes: of the file of micro-expressions.
    :param amplitude: the share of the full expression that is reached at the apex.
    :param ratio: how far the face's vertices move with the head, from onset to apex, in units of how far they move
        with the expression; mean lengths as seen from the front.
    :param seed: people, expressions and directions of turns depend on it, and on nothing else here.
    """

    subjects: int
    clips: int
    amplitude: float
    ratio: float
    classes: tuple[str, ...] = FIVE_CLASSES
    seed: int = 0

    def __post_init__(self) -> None:
        known = micro_expressions().expressions
        for name in self.classes:
            if name not in known:
                mend = f"use some of {', '.join(known)}"
                raise JobError(f"there is no class {name[:40]!r}", where="classes", mend=mend)
        if len(set(self.classes)) != len(self.classes) or not self.classes:
            raise JobError("classes are named once each, and one at least", where="classes")


@dataclass(frozen=True)
class SimulatedClip:
    """One clip: onset, apex, offset.

    :param subject: counted from 1.
    :param label: the class.
    :param name: the clip's name, as CASME II names them: which class, which of them.
    :param parameters: the target of a motion with the profile ``micro``, whose pose is reached by half at the apex.
    """

    subject: int
    label: str
    name: str
    parameters: ParameterSet


def simulate_clips(settings: SimulationSettings, model: HeadModel) -> Iterator[SimulatedClip]:
    """The clips of a set, person by person.

    :param model: a head whose expression basis is ARKit's actions.
    :raises HeadModelError: another one.
    :raises JobError: a head would have to turn too far for the ratio.
    """
    for person in range(settings.subjects):
        for number, label in enumerate(settings.classes):
            for clip in range(settings.clips):
                drawn = sample_parameter_set(
                    model.shape_count,
                    model.expression_names,
                    seed=settings.seed,
                    identity_index=person,
                    emotion=label,
                    expression_index=number * settings.clips + clip,
                    expressions=micro_expressions(),
                )
                parameters = replace(drawn, pose=_target_pose(drawn, settings, model))
                yield SimulatedClip(person + 1, label, f"EP{number + 1:02d}_{clip + 1:02d}f", parameters)


def _target_pose(drawn: ParameterSet, settings: SimulationSettings, model: HeadModel) -> NDArray[np.float64]:
    """The drawn turn of head and neck, scaled so that its half has the ratio; 0 for the eyes and the jaw."""
    pose = np.zeros(15)
    pose[_HEAD] = drawn.pose[_HEAD]
    if settings.ratio == 0:
        return np.zeros(15)
    wanted = settings.ratio * _mean_motion(drawn, settings.amplitude * drawn.expression, np.zeros(15), model)
    scale = 0.1 * MAX_TURN / max(float(np.linalg.norm(pose[_HEAD])), 1e-9)
    for _ in range(_CORRECTIONS):
        scale *= wanted / _mean_motion(drawn, np.zeros_like(drawn.expression), scale * pose, model)
    turned = float(np.linalg.norm(scale * pose[:3]) + np.linalg.norm(scale * pose[3:6]))
    if not turned <= MAX_TURN:
        raise JobError(
            f"for a ratio of {settings.ratio:g} a head would turn by {np.degrees(turned):.0f} degrees",
            where="ratio",
            mend="use a smaller ratio or amplitude",
        )
    # The profile reaches half of the pose at the apex.
    return 2 * scale * pose


def _mean_motion(
    drawn: ParameterSet, expression: NDArray[np.float64], pose: NDArray[np.float64], model: HeadModel
) -> float:
    """How far the face's vertices move from the neutral face, in the frontal plane, metres."""
    shaped = model.with_shape(drawn.betas, drawn.static_offset)
    still, moved = (
        shaped.with_pose(e[None], p[None]).vertices()[0]
        for e, p in ((np.zeros_like(expression), np.zeros(15)), (expression, pose))
    )
    face = np.unique(model.faces[model.regions["face"]])
    return float(np.hypot(*(moved - still)[face, :2].T).mean())
