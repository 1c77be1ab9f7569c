"""Labels of an avatar whose Gaussians lie on the head's mesh, against rays at the mesh; and their CPU seconds.

python tests/bench/splat_labels.py [--json] [--count N] [--size PIXELS]

A person of the open head turns by 34 degrees, opens the jaw and smiles with one side; forth and back. Inside is where
both frames show the mesh further from its silhouettes than Gaussians reach (three standard deviations). Backward flow
is compared there, and occlusion; of what the mesh hides, and of what is labelled hidden, all is counted that lies more
than a pixel from the silhouettes of its own frame. Last, the same by how many standard deviations a Gaussian's skin is
thick: what lies no further before a point does not hide it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import click
import numpy as np
from _measure import report
from numpy.typing import NDArray
from scipy import ndimage

from ffngen.dataset.raycast import CastFrame, cast_frame
from ffngen.flow.warp import backward_warp
from ffngen.geometry.camera import Camera
from ffngen.head.load import load_head
from ffngen.splat.occlusion import SKIN, WIDTHS, ShownPoints
from ffngen.splat.posed import PosedAvatar
from ffngen.splat.surface import surface_avatar

TRIED = (0.0, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class _Frame:
    cast: CastFrame
    points: ShownPoints

    @property
    def posed(self) -> PosedAvatar:
        """Its Gaussians."""
        return self.points.frame


def _frames(count: int, size: int) -> tuple[_Frame, _Frame]:
    model = load_head("open")
    shaped = model.with_shape(0.7 * np.random.default_rng(0).normal(size=model.shape_count))

    def vertices(jaw: float, smile: float, turn: float, nod: float) -> NDArray[np.float32]:
        expression, angles = np.zeros((1, model.expression_count)), np.zeros((1, 15))
        expression[0, model.expression_names.index("jawOpen")] = jaw
        expression[0, model.expression_names.index("mouthSmileLeft")] = smile
        angles[0, :2] = nod, turn
        return shaped.with_pose(expression, angles).vertices()[0]

    avatar = surface_avatar(model, vertices(0, 0, 0, 0), np.full((8, 8, 3), 128, np.uint8), count=count)
    T = np.diag([1.0, -1, -1, 1])
    T[:3, 3] = [0.02, 0, 0.6]
    camera = Camera(np.array([[1.56 * size, 0, size * 0.48], [0, 1.56 * size, size * 0.5], [0, 0, 1]]), T, size, size)
    first, second = (
        _Frame(cast_frame(shot, model.faces, camera), ShownPoints.of(PosedAvatar(avatar, shot, model.faces, camera)))
        for shot in (vertices(0.3, 0, 0.1, 0), vertices(0.9, 0.2, 0.7, -0.1))
    )
    return first, second


def _compare(one: _Frame, other: _Frame) -> dict[str, Any]:
    camera, points = one.posed.camera, one.points
    target = other.posed.vertices, camera
    start = time.process_time()
    flow = one.posed.image([other.posed]).flows[0].astype(np.float64)
    pixels, depths = points.moved_to(other.posed)
    points.hidden_in(other.posed, pixels, depths)
    seconds = time.process_time() - start

    focal = np.sqrt(camera.K[0, 0] * camera.K[1, 1])
    deviations = (points.skin - SKIN) / WIDTHS * focal / points.depths
    reach = int(np.ceil(3 * np.median(deviations)))
    true, edges = one.cast.flow_to(*target), one.cast.silhouette((target,))
    there = ndimage.binary_dilation(other.cast.silhouette(((one.posed.vertices, camera),)), iterations=reach)
    inside = one.cast.hit & points.mask & ~ndimage.binary_dilation(edges, iterations=reach)
    inside &= backward_warp(there.astype(np.float64), true)[0] == 0
    errors = np.hypot(*(flow - true)[inside].T)
    v, u = np.mgrid[: camera.height, : camera.width]
    x, y = u + true[..., 0], v + true[..., 1]
    within = (x > -0.5) & (y > -0.5) & (x < camera.width - 0.5) & (y < camera.height - 0.5)
    hidden = ~one.cast.visible_in(other.cast, other.posed.vertices) & within
    near = one.cast.hit & points.mask & within & ~ndimage.binary_dilation(edges)
    counts = {}
    for widths in TRIED:
        skin = SKIN + widths * (points.skin - SKIN) / WIDTHS
        found = np.zeros(inside.shape, dtype=bool)
        found[points.mask] = replace(points, skin=skin).hidden_in(other.posed, pixels, depths)
        counts[str(widths)] = {
            "wrong inside": int((found != hidden)[inside & within].sum()),
            "missed": int((hidden & ~found & near).sum()),
            "false": int((found & ~hidden & near).sum()),
        }
    return {
        "motion": float(np.median(np.hypot(*true[inside].T))),
        "flow": [float(np.percentile(errors, share)) for share in (50, 99)],
        "inside": int(inside.sum()),
        "hidden": int((hidden & near).sum()),
        "near": int(near.sum()),
        "counts": counts,
        "seconds": seconds,
    }


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.option("--count", default=100_000, show_default=True, help="Gaussians.")
@click.option("--size", default=256, show_default=True, help="Pixels along a side.")
def main(as_json: bool, count: int, size: int) -> None:
    """Compare both ways."""
    first, second = _frames(count, size)
    _compare(first, second)  # compiles
    found = {"forth": _compare(first, second), "back": _compare(second, first)}
    lines = []
    for way, one in found.items():
        median, high = one["flow"]
        lines.append(
            f"{way}: motion {one['motion']:.1f} px; flow, median and p99, {median:.3f} {high:.2f} px of "
            f"{one['inside']} pixels inside; {one['hidden']} of {one['near']} hidden; {one['seconds']:.2f} CPU-s"
        )
        for widths, counts in one["counts"].items():
            inside, missed, false = counts.values()
            lines.append(f"  skin {widths:>3}: {inside} wrong inside; {missed} missed, {false} falsely hidden")
    report({"bench": "splat labels", "ways": found}, as_json, lines)


if __name__ == "__main__":
    main()
