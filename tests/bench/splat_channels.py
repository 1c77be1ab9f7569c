"""What flow and depth lose when they are blended as channels, as for gsplat: ``python tests/bench/splat_channels.py``.

On the CPU: the channels of :mod:`ffngen.splat.channels`, blended in float64, against each pixel's own values, where
alpha is more than a half. The open head of ``tests/bench/splat.py`` at 512x512, which turns and speaks, 18 px from a
frame to the next. Median, 99th percentile and maximum of the difference, pixels.
"""

from __future__ import annotations

from typing import Any

import click
import numpy as np
from _measure import report
from splat import _camera, _person

from ffngen.head.load import load_head
from ffngen.splat import fast
from ffngen.splat.adjoint import blend_channels
from ffngen.splat.binding import pose, triangle_motion
from ffngen.splat.channels import channels_of, sums_of
from ffngen.splat.flow import ray_depth, splat_motion
from ffngen.splat.projection import project
from ffngen.splat.surface import surface_avatar


@click.command()
@click.option("--json", "as_json", is_flag=True)
def main(as_json: bool) -> None:
    """Compare."""
    model = load_head("open")
    neutral, now, *laters = _person(model)
    camera = _camera(512, 512, 800)
    found: dict[str, Any] = {}
    for count in (20_000, 100_000):
        avatar = surface_avatar(model, neutral, np.full((8, 8, 3), 128, np.uint8), count=count)
        splats = project(pose(avatar, now, model.faces), camera)
        rays, corners = ray_depth(splats), model.faces[avatar.triangles]
        motions = [
            splat_motion(
                "affine", splats, pose(avatar, later, model.faces), triangle_motion(now, later, corners), camera
            )
            for later in laters
        ]
        _, alpha, _, exact = fast.blend(splats, rays, motions)
        blended = blend_channels(splats, channels_of(splats, rays, motions))
        _, _, _, moves = sums_of(blended.image, blended.alpha, len(motions))
        wrong = np.hypot(*np.moveaxis((moves - exact)[0, ..., :2], -1, 0))[alpha > 0.5] / alpha[alpha > 0.5]
        found[str(count)] = [float(np.median(wrong)), float(np.percentile(wrong, 99)), float(wrong.max())]
    lines = [f"{count:>7} Gaussians  " + "  ".join(f"{v:.4f}" for v in values) for count, values in found.items()]
    report({"bench": "splat_channels", "difference": found}, as_json, lines)


if __name__ == "__main__":
    main()
