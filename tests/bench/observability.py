"""How much of a face has texture that its motion can be seen by, before the skin had any, and with it.

python tests/bench/observability.py [--people 6] [--json]

Bare faces at 512 x 512 by the default job: in one colour, painted, and painted with relief (the default). Where
a window's structure tensor has a smaller eigenvalue l, noise of s grey levels moves the best match by s / sqrt(N l)
pixels in the worst direction (Lucas and Kanade, 1981; Shi and Tomasi, 1994); N is the window's pixels. The bounds on
the root of l, 0.5, 1 and 2 grey levels a pixel, stand for 0.28, 0.14 and 0.07 px for noise of one grey level.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from unittest.mock import patch

import click
import cv2
import numpy as np
from _measure import report, scratch_folder
from numpy.typing import NDArray

from ffngen.appearance.skin import faces_of_skin, generate_texture
from ffngen.appearance.uv_raster import rasterise
from ffngen.dataset.context import open_context
from ffngen.dataset.labels.layout import LabelKind
from ffngen.dataset.labels.make import label_dataset
from ffngen.dataset.labels.regions import BACKGROUND, REGION_IDS
from ffngen.dataset.read import FlowDataset
from ffngen.dataset.render import render_dataset
from ffngen.head.model import HeadModel
from ffngen.job import Job

#: Grey levels of 255 per pixel.
BOUNDS = (0.5, 1.0, 2.0)
#: Standard deviations, pixels: of the derivative's smoothing, and of the window, whose 4 pi s^2 are 50 pixels.
DERIVATIVE, WINDOW = 0.7, 2.0
#: What lies so near to another surface sees its edge, pixels.
_EDGE = 6
_SHADES = ("one colour", "painted", "painted, with relief")


def smaller_eigenvalue(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) float32, squared grey levels per pixel: of the structure tensor of a picture (H, W)."""
    smooth = cv2.GaussianBlur(grey, (0, 0), DERIVATIVE)
    x, y = (
        cv2.filter2D(smooth, -1, kernel) for kernel in (np.float32([[-0.5, 0, 0.5]]), np.float32([[-0.5], [0], [0.5]]))
    )
    xx, xy, yy = (cv2.GaussianBlur(product, (0, 0), WINDOW) for product in (x * x, x * y, y * y))
    return np.asarray((xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2), dtype=np.float32)


def _texture(shade: str, model: HeadModel, *, seed: int, size: int) -> NDArray[np.uint8]:
    texture = generate_texture(model, seed=seed, size=size)
    if shade != _SHADES[2]:
        texture[..., 3] = 128
    if shade == _SHADES[0]:
        raster = rasterise(model, size)
        skin = faces_of_skin(model)[raster.face]
        where = raster.image(np.repeat(skin[:, None], 4, axis=1).astype(np.uint8), np.zeros(4, np.uint8))[..., 0] > 0
        texture[where, :3] = texture[where, :3].mean(axis=0)
    return texture


def _measure(shade: str, people: int, out: Path) -> tuple[list[float], float]:
    """The shares of face pixels above the bounds, and the median root of the smaller eigenvalue."""
    job = Job(out=out, identities=people, n_frames=(2,), emotions=("none",), props=(), image_format="png")
    made = partial(_texture, shade)
    with patch("ffngen.dataset.context.generate_texture", made), closing(render_dataset(open_context(job))) as states:
        for _run, _event in states:
            pass
    for _labels in label_dataset(out, (LabelKind.SEGMENTATION,)):
        pass
    found = []
    beside = [BACKGROUND, *(REGION_IDS[name] for name in ("neck", "scalp", "ears"))]
    for pair in FlowDataset(out):
        face = (~np.isin(pair.labels.segmentation, beside)).astype(np.uint8)
        face = cv2.erode(face, np.ones((2 * _EDGE + 1,) * 2, np.uint8)) > 0
        grey = cv2.cvtColor(pair.image1, cv2.COLOR_RGB2GRAY).astype(np.float32)
        found.append(np.sqrt(np.maximum(smaller_eigenvalue(grey)[face], 0)))
    roots = np.concatenate(found)
    return [float((roots >= bound).mean()) for bound in BOUNDS], float(np.median(roots))


@click.command()
@click.option("--people", default=6, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(people: int, as_json: bool) -> None:
    """Render the same people three times and look at their skin."""
    summary, lines = (
        {},
        [f"{'face pixels from':<22}" + "".join(f"{bound:7}" for bound in BOUNDS) + "   grey levels a pixel"],
    )
    for shade in _SHADES:
        with scratch_folder() as scratch:
            shares, root = _measure(shade, people, scratch / "dataset")
        summary[shade] = {"shares": shares, "median_root": root}
        lines.append(f"{shade:<22}" + "".join(f"{share:7.1%}" for share in shares) + f"   median {root:.2f}")
    report({"bench": "observability", "bounds": BOUNDS, **summary}, as_json, lines)


if __name__ == "__main__":
    main()
