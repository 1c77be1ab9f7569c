"""How near a fitted avatar's pictures come to Cycles': ``python tests/bench/splat_fit.py FOLDER``.

Renders one person of the open head, who turns and smiles, by seven cameras up to 45 degrees to either side, 63 pictures
at 256x256 with 16 samples, under a sky that is brighter above and the same from all sides, so that all sequences have
one light; and by two further cameras, 36 pictures that no fit sees. What FOLDER holds of it already is kept. Then fits
Gaussians to 55 of the 63, and judges them by the other 8 and by the two further cameras. The seconds are those of one
step, the best of ten.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from _measure import report

from ffngen.avatar_fit.fit import Fit
from ffngen.avatar_fit.judge import Score, drawn, mean_score, score
from ffngen.avatar_fit.run import mean_avatar, open_run, run_fit
from ffngen.avatar_fit.settings import FitSettings
from ffngen.avatar_fit.source import FitSource, open_source
from ffngen.cli import main as ffngen
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.splat.avatar import Avatar
from ffngen.splat.ply import read_avatar
from ffngen.splat.tensors import avatar_tensors

SIZE = 256
SCENE = """\
camera: {focal_length_mm: [60, 100], fill: [0.62, 0.76], yaw_degrees: [-45, 45], elevation_degrees: [-10, 20]}
lighting: {rigs: [none]}
"""


def _render(folder: Path, name: str, lengths: str) -> Path:
    sky = folder / "sky"
    sky.mkdir(parents=True, exist_ok=True)
    up = np.linspace(1, -1, 64)[:, None, None]
    light = np.array([1, 0.98, 0.95]) * (0.55 + 0.45 * up) + np.array([0.1, 0.08, 0.06]) * np.maximum(-up, 0)
    bgr = np.ascontiguousarray(np.broadcast_to(light, (64, 128, 3))[..., ::-1], dtype=np.float32)
    cv2.imwrite(str(sky / "sky.hdr"), bgr)
    (folder / "views.yaml").write_text(SCENE)
    options = f"--identities 1 --emotion happy --props none --resolution {SIZE}x{SIZE} --samples 16 --image-format png"
    where = ["--out", str(folder / name), "--scene", str(folder / "views.yaml"), "--hdris", str(sky)]
    ffngen(["render", *where, "--n-frames", lengths, *options.split()], standalone_mode=False)
    return folder / name


def _judged(avatar: Avatar, source: FitSource, model: HeadModel) -> Score:
    tensors = avatar_tensors(avatar)
    views = [view.load(SIZE) for view in source.views]
    return mean_score([score(drawn(tensors, view, model.faces), view) for view in views])


def _seconds(source: FitSource, start: Avatar, model: HeadModel, folder: Path) -> float:
    fit = Fit(source, start, model.faces, FitSettings(steps=10, longest=SIZE), folder, "bench")
    taken = []
    before = time.perf_counter()
    for _ in fit.steps():
        taken.append(time.perf_counter() - before)
        before = time.perf_counter()
    (folder / "fit_state.npz").unlink()
    return min(taken)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--steps", default=400, show_default=True)
@click.option("--count", default=20_000, show_default=True)
@click.option("--sh-degree", default=0, show_default=True)
@click.option("--move", is_flag=True)
@click.option("--json", "as_json", is_flag=True)
def main(folder: Path, steps: int, count: int, sh_degree: int, move: bool, as_json: bool) -> None:
    """Render, fit, judge."""
    model = load_head("open")
    source = open_source(_render(folder, "views", "2,3,4,5,6,7,8"), model)
    unseen = open_source(_render(folder, "unseen", "9,10"), model)
    start = mean_avatar(source, model, count, 0)
    out = folder / f"fit_{count}_{steps}_{sh_degree}{'_move' if move else ''}"
    run = open_run(source, model, start, FitSettings(steps, SIZE, sh_degree, move), out)
    result: dict[str, Any] = run.result or run_fit(run, lambda step: None)
    avatar = read_avatar(out)
    others = [_judged(one, unseen, model) for one in (start, avatar)]
    seconds = _seconds(source, start, model, folder)
    rows = {
        "held-out pictures": (result["before"], result["after"]),
        "other cameras": (others[0].to_json(), others[1].to_json()),
    }
    lines = [f"{'':<20}PSNR head        picture          SSIM head        picture"]
    for name, (before, after) in rows.items():
        cells = [f"{before[key]:6.2f} -> {after[key]:6.2f} " for key in ("psnr_head", "psnr")]
        cells += [f"{before[key]:.4f} -> {after[key]:.4f} " for key in ("ssim_head", "ssim")]
        lines.append(f"{name:<20}{''.join(cells)}")
    lines.append(f"{count} Gaussians, {steps} steps; a step takes {seconds:.2f} s")
    report({"bench": "splat_fit", "rows": rows, "seconds": seconds, "out": str(out)}, as_json, lines)


if __name__ == "__main__":
    main()
