"""What renders, by name."""

from __future__ import annotations

from typing import Literal

#: Blender's Cycles, or our rasteriser of Gaussians.
Engine = Literal["cycles", "splat"]

#: What a Gaussian says of the motion of the pixels that it covers (:mod:`ffngen.splat.flow`).
FlowMode = Literal["mean", "mean-sum", "gaussianflow", "affine"]
