"""Why splats are rasterised by numba and not by NVIDIA Warp's CPU backend: ``python tests/bench/splat_warp.py``.

The same pixels from the same lists of Gaussians, colour and alpha at 512x512, once by ffngen's tiles and once by a Warp
kernel with a thread for each pixel, which looks at all Gaussians of its tile. Warp comes with ``anny`` (the extra
``render``). Times are the best of five, without compiling, and with the lists already made.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np
import warp as wp
from _measure import report

from ffngen.geometry.camera import Camera
from ffngen.head.load import load_head
from ffngen.splat.adjoint import _forth_tiles
from ffngen.splat.binding import pose
from ffngen.splat.fast import TILE, centre_and_shape, look_of, reached_boxes, tile_counts, tile_lists
from ffngen.splat.projection import FINISHED, MOST, project
from ffngen.splat.surface import surface_avatar

SIZE, COUNT = 512, 50_000


@wp.kernel  # type: ignore[untyped-decorator]
def _pixels(  # type: ignore[no-untyped-def]
    starts: wp.array(dtype=wp.int32),
    lists: wp.array(dtype=wp.int32),
    across: wp.int32,
    shape: wp.array2d(dtype=wp.float64),
    look: wp.array2d(dtype=wp.float64),
    image: wp.array2d(dtype=wp.vec4d),
):
    v, u = wp.tid()
    tile = v // TILE * across + u // TILE
    light = wp.float64(1.0)
    total = wp.vec4d()
    for at in range(starts[tile], starts[tile + 1]):
        i = lists[at]
        x = wp.float64(u) - shape[i, 0]
        y = wp.float64(v) - shape[i, 1]
        distance = shape[i, 2] * x * x + shape[i, 3] * x * y + shape[i, 4] * y * y
        if distance <= look[i, 1]:
            weight = wp.min(look[i, 0] * wp.exp(-distance / wp.float64(2.0)), wp.float64(MOST))
            rest = light * (wp.float64(1.0) - weight)
            if rest < wp.float64(FINISHED):
                break
            w = weight * light
            total += wp.vec4d(w * look[i, 2], w * look[i, 3], w * look[i, 4], w)
            light = rest
    image[v, u] = total


def _best(run: Callable[[], Any]) -> float:
    taken = []
    for _ in range(6):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


@click.command()
@click.option("--json", "as_json", is_flag=True)
def main(as_json: bool) -> None:
    """Compare."""
    model = load_head("open")
    avatar = surface_avatar(model, model.template, np.full((64, 64, 3), 150, np.uint8), count=COUNT)
    T = np.diag([1.0, -1, -1, 1])
    T[:3, 3] = [0, 0, 0.6]
    camera = Camera(np.array([[800.0, 0, 256], [0, 800, 256], [0, 0, 1]]), T, SIZE, SIZE)
    splats = project(pose(avatar, model.template, model.faces), camera)
    boxes, tiles = reached_boxes(splats), tile_counts(splats)
    starts, lists = tile_lists(boxes, *tiles)
    shape, look = centre_and_shape(splats), look_of(splats)

    def by_numba() -> np.ndarray[Any, Any]:
        image, light = np.zeros((SIZE, SIZE, 3)), np.ones((SIZE, SIZE))
        stops = np.zeros((SIZE, SIZE), dtype=np.int64)
        _forth_tiles(starts, lists, boxes, shape, look, splats.colours, image, light, stops)
        return np.concatenate([image, 1 - light[..., None]], axis=-1)

    wp.config.quiet = True
    wp.init()
    arrays = [
        wp.array(starts.astype(np.int32), dtype=wp.int32, device="cpu"),
        wp.array(lists, dtype=wp.int32, device="cpu"),
        tiles[0],
        wp.array(shape, dtype=wp.float64, device="cpu"),
        wp.array(look, dtype=wp.float64, device="cpu"),
    ]
    out = wp.zeros((SIZE, SIZE), dtype=wp.vec4d, device="cpu")

    def by_warp() -> np.ndarray[Any, Any]:
        wp.launch(_pixels, dim=(SIZE, SIZE), inputs=[*arrays, out], device="cpu")
        return np.asarray(out.numpy())

    difference = float(np.abs(by_numba() - by_warp()).max())
    seconds = {"numba": _best(by_numba), "warp": _best(by_warp)}
    lines = [f"{name:<6} {value:.3f} s" for name, value in seconds.items()]
    lines.append(f"largest difference {difference:.2g}; {COUNT} Gaussians, {SIZE} x {SIZE}")
    report({"bench": "warp", "seconds": seconds, "difference": difference}, as_json, lines)


if __name__ == "__main__":
    main()
