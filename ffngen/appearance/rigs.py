"""Light rigs: where lamps stand round a head, how large they are, and what they give against each other.

Each rig is drawn anew for each sequence; which side the key stands on is drawn first. Angles are degrees, seen from
the head: azimuth from the direction that the face looks in, towards the key's side (negative: the other side),
elevation upwards. Shares are of the irradiance that a facing surface receives, relative to the key's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Range = tuple[float, float]
RigName = Literal["three_point", "soft_box", "window", "side", "back", "mixed", "none"]
RIGS: tuple[RigName, ...] = get_args(RigName)


@dataclass(frozen=True)
class Lamp:
    """One lamp of a rig.

    :param azimuth: degrees.
    :param elevation: degrees.
    :param distance: metres.
    :param size: metres: a disc's diameter, or a rectangle's width.
    :param share: of the key's irradiance.
    :param kelvin: the colour temperature; None for a colour between the surroundings' and white.
    :param aspect: height / width of a rectangle; None for a disc.
    """

    azimuth: Range
    elevation: Range
    distance: Range
    size: Range
    share: Range = (1.0, 1.0)
    kelvin: Range | None = None
    aspect: float | None = None


@dataclass(frozen=True)
class Rig:
    """Lamps, and how much of the face's light they give.

    :param lamps: the key first.
    :param lamp_share: of the face's mean exposure; the surroundings give the rest.
    """

    lamps: tuple[Lamp, ...]
    lamp_share: Range


_THREE_POINT = Rig(
    (
        Lamp((20, 50), (12, 42), (0.9, 1.3), (0.25, 0.7)),
        Lamp((-60, -30), (-5, 20), (1.1, 1.6), (0.25, 0.7), share=(0.25, 0.5)),
        Lamp((-165, -140), (15, 45), (0.9, 1.3), (0.25, 0.7), share=(0.4, 1.1)),
    ),
    (0.30, 0.50),
)

#: By name; ``none`` is the surroundings alone.
_RIGS: dict[RigName, Rig] = {
    "three_point": _THREE_POINT,
    "soft_box": Rig(
        (
            Lamp((0, 35), (15, 40), (1.0, 1.5), (0.9, 1.5), kelvin=(5000, 6200), aspect=1.0),
            Lamp((-40, -10), (-35, -15), (0.8, 1.1), (0.5, 0.8), share=(0.2, 0.4), kelvin=(5000, 6200), aspect=0.6),
        ),
        (0.60, 0.80),
    ),
    "window": Rig(
        (Lamp((35, 65), (0, 18), (1.1, 1.8), (0.9, 1.4), kelvin=(6000, 8000), aspect=1.5),),
        (0.65, 0.82),
    ),
    "side": Rig((Lamp((60, 86), (0, 30), (0.9, 1.6), (0.06, 0.3)),), (0.60, 0.80)),
    "back": Rig(
        (
            Lamp((-25, 25), (10, 35), (1.2, 1.8), (0.8, 1.2)),
            Lamp((135, 168), (10, 40), (0.9, 1.4), (0.2, 0.6), share=(1.8, 3.2)),
            Lamp((-168, -135), (10, 40), (0.9, 1.4), (0.2, 0.6), share=(1.0, 3.2)),
        ),
        (0.35, 0.55),
    ),
    "mixed": Rig(
        (
            Lamp((25, 65), (5, 35), (0.9, 1.4), (0.2, 0.6), kelvin=(2600, 3600)),
            Lamp((-75, -35), (0, 30), (0.9, 1.5), (0.3, 0.8), share=(0.5, 0.9), kelvin=(7000, 12000)),
        ),
        (0.55, 0.75),
    ),
}


def rig(name: RigName) -> Rig | None:
    """The rig of that name; None for ``none``."""
    return None if name == "none" else _RIGS[name]


def blackbody(kelvin: float) -> NDArray[np.float64]:
    """(3,) linear sRGB of unit luminance: the colour of a Planckian radiator, 1667 to 25000 K.

    Kim et al. 2002 (US patent 7024034), cubic splines of the Planckian locus; then sRGB's matrix (IEC 61966-2-1).
    """
    t = 1e3 / kelvin
    if kelvin <= 4000:
        x = ((-0.2661239 * t - 0.2343589) * t + 0.8776956) * t + 0.179910
    else:
        x = ((-3.0258469 * t + 2.1070379) * t + 0.2226347) * t + 0.240390
    if kelvin <= 2222:
        y = ((-1.1063814 * x - 1.34811020) * x + 2.18555832) * x - 0.20219683
    elif kelvin <= 4000:
        y = ((-0.9549476 * x - 1.37418593) * x + 2.09137015) * x - 0.16748867
    else:
        y = ((3.0817580 * x - 5.87338670) * x + 3.75112997) * x - 0.37001483
    xyz = np.array([x / y, 1.0, (1 - x - y) / y])
    matrix = np.array(
        [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
    )
    rgb: NDArray[np.float64] = (matrix * xyz).sum(axis=1)
    # Below about 1900 K the colour lies outside sRGB.
    return np.maximum(rgb, 0)
