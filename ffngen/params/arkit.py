"""The 52 facial actions of ARKit, and what a name without a side stands for.

Source: Apple's ``ARFaceAnchor.BlendShapeLocation``.
"""

from __future__ import annotations

ARKIT_ACTIONS = (
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)

_NAMES = frozenset(ARKIT_ACTIONS)
#: Movements of one thing to a side, not the two sides of one movement.
_SIDEWAYS = frozenset({"jawLeft", "jawRight", "mouthLeft", "mouthRight"})


def side_of(action: str) -> str:
    """``"left"`` or ``"right"`` for an action of one side of the face, else ``""``."""
    if action in _SIDEWAYS:
        return ""
    return "left" if action.endswith("Left") else "right" if action.endswith("Right") else ""


def expand(name: str) -> tuple[str, ...]:
    """The actions that a name stands for.

    ``mouthSmile`` stands for ``mouthSmileLeft`` and ``mouthSmileRight``; a full name for itself; a name
    that is none of ARKit's for nothing.
    """
    if name in _NAMES:
        return (name,)
    return tuple(f"{name}{side}" for side in ("Left", "Right") if f"{name}{side}" in _NAMES - _SIDEWAYS)
