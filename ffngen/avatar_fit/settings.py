"""How an avatar is fitted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ffngen.errors import FfngenError
from ffngen.splat.avatar import SH_COUNTS

#: Degrees of harmonics that avatars may have.
DEGREES = range(len(SH_COUNTS))


@dataclass(frozen=True)
class FitSettings:
    """What a fit is asked for.

    :param steps: pictures that the Gaussians learn from, one a step.
    :param longest: pixels: pictures are scaled so that the longer side is at most so long.
    :param sh_degree: of the harmonics; 0: one colour from all sides.
    :param move: fit means and rotations, too; else Gaussians stay where they are on their triangles.
    :param seed: of the pictures' order, and of where Gaussians lie that are spread over the head.
    """

    steps: int = 1500
    longest: int = 512
    sh_degree: int = 0
    move: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.longest < 16 or self.sh_degree not in DEGREES:
            raise FfngenError("a fit takes at least 1 step, 16 pixels and harmonics of degree 0 to 3")

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return asdict(self)
