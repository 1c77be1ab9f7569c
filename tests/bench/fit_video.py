"""A video that is fitted and rendered again, beside its source: a rendered face, so that its motion is known.

python tests/bench/fit_video.py --out fit_video [--json]

Renders a face that changes, makes a video of it, fits that video without being told anything, and renders the fit as
``--motion tracked`` through the fitted camera, with the video's frames behind. ``side_by_side.png`` shows the source,
the fit drawn over it, the fit's facial image, and head-only images of both. The figures compare the motion of the inner
landmarks from frame to frame, in pixels: facial (head and expression) and head-only.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import cv2
import numpy as np
from _measure import report
from numpy.typing import NDArray

from ffngen.atomic import write_atomic
from ffngen.dataset.read import FlowDataset
from ffngen.fit.observation import INNER
from ffngen.geometry.camera import Camera
from ffngen.head.load import load_head
from ffngen.images import encode_png, read_image
from ffngen.prediction.video import VideoWriter

Array64 = NDArray[np.float64]

#: Of the source's images: pixels, and frames a second of the video.
SIDE, RATE = 384, 25.0
#: Frames that are shown, as shares of the video.
SHOWN = (0.1, 0.4, 0.7, 1.0)
RUN = "from ffngen.cli import main; main()"


def run(*arguments: object) -> None:
    """A command of ffngen, in a process of its own."""
    subprocess.run([sys.executable, "-c", RUN, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def landmark_motion(dataset: Path) -> tuple[Array64, Array64]:
    """Facial and head-only motion (T - 1, 51, 2) of the inner landmarks of a dataset's one sequence, pixels."""
    (metadata,) = dataset.glob("metadata/*/*/*/metadata.json")
    camera = Camera.from_json(json.loads(metadata.read_text(encoding="utf-8"))["camera"])
    model, table = load_head("open"), np.load(metadata.parent / "vertices.npz")
    landmarks = model.landmarks
    assert landmarks is not None

    def seen(vertices: NDArray[np.float32]) -> Array64:
        own = vertices[:, : model.vertex_count].astype(np.float64)
        return np.array([camera.project(landmarks.evaluate(one))[0][INNER] for one in own])

    facial, head = seen(table["facial"]), seen(table["head"])
    return facial[1:] - facial[:-1], head - facial[:-1]


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder.")
@click.option("--frames", default=20, show_default=True)
@click.option("--seed", default=7001, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(out: Path, frames: int, seed: int, as_json: bool) -> None:
    """Render, fit, and render again."""
    out.mkdir()
    common = ["--resolution", SIDE, "--samples", 8]
    run("render", "--n-frames", frames, "--include-neutral", "--emotion", "surprise", "--seed", seed, *common,
        "--out", out / "source")  # fmt: skip
    files = sorted((out / "source" / "image" / "facial").rglob("*.jpg"))
    with VideoWriter(out / "video.mp4", RATE) as write:
        for file in files:
            write(read_image(file))
    run("params", "fit", out / "video.mp4", out / "fit.parquet", "--preview", out / "seen", "--frames", out / "frames")
    run("render", "--params", out / "fit.parquet", "--motion", "tracked", "--camera", "tracked", *common,
        "--source-images", out / "frames", "--seed", seed + 1, "--out", out / "again")  # fmt: skip
    figures = {}
    for name, true, fitted in zip(
        ("facial", "head"), *map(landmark_motion, (out / "source", out / "again")), strict=True
    ):
        figures[f"{name}_motion_px"] = float(np.linalg.norm(true, axis=-1).mean())
        figures[f"{name}_error_px"] = float(np.linalg.norm(fitted - true, axis=-1).mean())
        figures[f"{name}_correlation"] = float(np.corrcoef(true.ravel(), fitted.ravel())[0, 1])
    source, again = FlowDataset(out / "source"), FlowDataset(out / "again")
    previews = sorted((out / "seen").glob("*.jpg"))
    rows = []
    for share in SHOWN:
        t = round(share * (len(source) - 1))
        pairs = source[t], again[t]
        drawn = cv2.resize(read_image(previews[t + 1]), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        pictures = [pairs[0].image2, drawn, pairs[1].image2, *(pair.head_image2 for pair in pairs)]
        rows.append(np.concatenate(pictures, axis=1))
    write_atomic(out / "side_by_side.png", encode_png(np.concatenate(rows)))
    lines = [f"{name}: {value:.3f}" for name, value in figures.items()]
    report({"bench": "fit_video", **figures}, as_json, [*lines, f"look at {out / 'side_by_side.png'}"])


if __name__ == "__main__":
    main()
