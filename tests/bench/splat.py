"""Splatting: flow of the three modes against rays at the mesh, and the seconds of a large picture.

python tests/bench/splat.py [--json]

A person of the open head turns by 5 degrees and nods by 3, opens the jaw and smiles with one side, at 512 x 512;
100,000 Gaussians on the head's surface. Errors are end-point errors in pixels, median and 99th percentile, in the
interior, three pixels from silhouettes; once more without the Gaussians that lie behind the surface that is seen, which
shine through the gaps of those on it. The picture for the time has 1920 x 1080 pixels, of which the head is some 950
high, with colour, facial and head-only flow. The reference's time is that of a 64th of the pixels and of the
Gaussians, times 64 squared, as it looks at all Gaussians in all pixels.
"""

from __future__ import annotations

import time
from dataclasses import fields
from typing import Any

import click
import numpy as np
from _measure import report
from numpy.typing import NDArray
from scipy import ndimage

from ffngen.appearance.skin import generate_texture
from ffngen.dataset.raycast import CastFrame, cast_frame
from ffngen.geometry.camera import Camera
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.splat.avatar import Avatar
from ffngen.splat.binding import pose, triangle_motion
from ffngen.splat.flow import FlowMode, ray_depth, splat_motion
from ffngen.splat.image import SplatImage
from ffngen.splat.projection import project
from ffngen.splat.rasterise import Backend, rasterise
from ffngen.splat.surface import surface_avatar

COUNT = 100_000
MODES: tuple[FlowMode, ...] = ("mean", "gaussianflow", "affine")
ALONE = "affine, alone"
Vertices = NDArray[np.float32]


def _camera(width: int, height: int, focal: float) -> Camera:
    T = np.diag([1.0, -1, -1, 1])
    T[:3, 3] = [0.02, 0, 0.6]
    return Camera(np.array([[focal, 0, width * 0.48], [0, focal, height * 0.5], [0, 0, 1]]), T, width, height)


def _person(model: HeadModel) -> tuple[Vertices, Vertices, Vertices, Vertices]:
    """The neutral head, frame t, frame t+1 and the head-only frame t+1."""
    shaped = model.with_shape(0.7 * np.random.default_rng(0).normal(size=model.shape_count))

    def vertices(jaw: float, smile: float, turn: float, nod: float) -> Vertices:
        expression, angles = np.zeros((1, model.expression_count)), np.zeros((1, 15))
        expression[0, model.expression_names.index("jawOpen")] = jaw
        expression[0, model.expression_names.index("mouthSmileLeft")] = smile
        angles[0, :2] = nod, turn
        return shaped.with_pose(expression, angles).vertices()[0]

    return vertices(0, 0, 0, 0), vertices(0.3, 0, 0.1, 0), vertices(0.55, 0.5, 0.19, 0.05), vertices(0.3, 0, 0.19, 0.05)


def _render(
    model: HeadModel, avatar: Avatar, frames: tuple[Vertices, ...], camera: Camera, mode: FlowMode, backend: Backend
) -> SplatImage:
    now, *laters = frames
    splats = project(pose(avatar, now, model.faces), camera)
    corners = model.faces[avatar.triangles]
    motions = [
        splat_motion(mode, splats, pose(avatar, later, model.faces), triangle_motion(now, later, corners), camera)
        for later in laters
    ]
    return rasterise(splats, ray_depth(splats), motions, backend=backend)


def _errors(model: HeadModel, avatar: Avatar, frames: tuple[Vertices, ...]) -> dict[str, Any]:
    camera = _camera(512, 512, 800)
    cast = cast_frame(frames[0], model.faces, camera)
    targets = tuple((later, camera) for later in frames[1:])
    inside = ndimage.binary_erosion(cast.hit & ~cast.silhouette(targets), iterations=3)
    true = [cast.flow_to(*target)[inside] for target in targets]
    found: dict[str, Any] = {"motion": float(np.hypot(*true[0].T).mean())}
    seen = _without_what_is_behind(avatar, pose(avatar, frames[0], model.faces).means, cast)
    for name, mode, chosen in [*((mode, mode, avatar) for mode in MODES), (ALONE, MODES[-1], seen)]:
        image = _render(model, chosen, frames, camera, mode, "fast")
        facial, head = (flow[inside] for flow in image.flows)
        wrong = {"facial": facial - true[0], "head": head - true[1], "expression": facial - head - (true[0] - true[1])}
        found[name] = {
            flow: [float(np.percentile(np.hypot(*error.T), share)) for share in (50, 99)]
            for flow, error in wrong.items()
        }
    return found


def _without_what_is_behind(avatar: Avatar, means: NDArray[np.float64], cast: CastFrame) -> Avatar:
    """The Gaussians that are not more than 3 mm behind what the rays see."""
    pixels, depth = cast.camera.project(means)
    column, row = np.rint(pixels).astype(np.int64).T
    within = (column >= 0) & (row >= 0) & (column < cast.camera.width) & (row < cast.camera.height)
    kept = np.ones(len(avatar), dtype=bool)
    kept[within] = depth[within] <= cast.depth[row[within], column[within]] + 3e-3
    return Avatar(**{field.name: getattr(avatar, field.name)[kept] for field in fields(avatar)})


@click.command()
@click.option("--json", "as_json", is_flag=True)
def main(as_json: bool) -> None:
    """Compare flow, and take the time."""
    model = load_head("open")
    neutral, *frames = _person(model)
    texture = generate_texture(model, seed=3, size=1024)
    avatar = surface_avatar(model, neutral, texture, count=COUNT)
    errors = _errors(model, avatar, tuple(frames))
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        _render(model, avatar, tuple(frames), _camera(1920, 1080, 1900), "affine", "fast")
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    few = surface_avatar(model, neutral, texture, count=COUNT // 64)
    _render(model, few, tuple(frames), _camera(240, 135, 1900 / 8), "affine", "reference")
    # Times the pixels, and times the Gaussians.
    reference = (time.perf_counter() - start) * 64 * 64
    lines = [f"mean motion {errors['motion']:.1f} px", f"{'':<14}facial          head            expression"]
    for name in (*MODES, ALONE):
        cells = "".join(f"{a:7.4f} {b:7.4f} " for a, b in errors[name].values())
        lines.append(f"{name:<14}{cells}")
    # The first one compiles.
    best = min(seconds[1:])
    lines.append(
        f"{COUNT} Gaussians at 1920 x 1080: {best:.2f} s; the reference, estimated, {reference / best:.0f} times that"
    )
    summary = {"bench": "splat", "errors": errors, "seconds": best, "reference_seconds": reference}
    report(summary, as_json, lines)


if __name__ == "__main__":
    main()
