"""The head model: vertices of 20 frames, against smplx.FLAME on the same model, and loading.

    python tests/bench/head.py [--json] [--model FOLDER]

The model is a folder with FLAME_NEUTRAL.npz or .pkl and flame_static_embedding.pkl.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from _measure import report, scratch_folder

from ffngen.head.load import load_head

FRAMES = 20
REPEATS = 7
DEFAULT = Path(__file__).resolve().parents[2].parent / "shared" / "flame2023_open_lite"


def _best(function: Callable[[], Any]) -> float:
    """Seconds of the fastest of some calls, the first left out."""
    function()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def _smplx(folder: Path, betas: int, expressions: int, model: Any) -> Callable[[], Any]:
    """smplx's vertices of the same frames, with as many coefficients as it keeps of the model."""
    import smplx
    import torch

    torch.set_num_threads(1)
    source = next(path for path in sorted(folder.iterdir()) if path.stem == "FLAME_NEUTRAL")
    with scratch_folder() as scratch:
        place = scratch / "flame"
        place.mkdir()
        for path in (source, folder / "flame_static_embedding.pkl"):
            shutil.copy(path, place)
        flame = smplx.create(
            str(scratch), model_type="flame", ext=source.suffix[1:], num_betas=betas,
            num_expression_coeffs=expressions, batch_size=FRAMES,
        )  # fmt: skip
    shape, expression, pose = (torch.from_numpy(a.astype(np.float32)) for a in model)
    arguments = {
        "betas": shape.expand(FRAMES, -1)[:, : flame.num_betas],
        "expression": expression[:, : flame.num_expression_coeffs],
        "global_orient": pose[:, :3],
        "neck_pose": pose[:, 3:6],
        "jaw_pose": pose[:, 6:9],
        "leye_pose": pose[:, 9:12],
        "reye_pose": pose[:, 12:],
    }

    def call() -> Any:
        with torch.no_grad():
            return flame(**arguments).vertices.numpy()

    return call


@click.command()
@click.option("--model", "folder", type=click.Path(path_type=Path), default=DEFAULT, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(folder: Path, as_json: bool) -> None:
    """Time the head model."""
    if not folder.is_dir():
        print(f"left out: there is no {folder}; name a model with --model")
        return
    path = next(path for path in sorted(folder.iterdir()) if path.stem == "FLAME_NEUTRAL")
    start = time.perf_counter()
    model = load_head(path, family="flame2023_open")
    loading = time.perf_counter() - start
    rng = np.random.default_rng(0)
    betas = rng.normal(size=model.shape_count)
    expression = rng.normal(size=(FRAMES, model.expression_count))
    pose = rng.uniform(-0.2, 0.2, (FRAMES, 15))
    ours = _best(lambda: model.vertices(betas, expression, pose))
    oracle = _smplx(folder, model.shape_count, model.expression_count, (betas[None], expression, pose))
    difference = float(np.abs(oracle() - model.vertices(betas, expression, pose)).max())
    theirs = _best(oracle)
    summary = {
        "bench": "head",
        "frames": FRAMES,
        "vertices": model.vertex_count,
        "shape_count": model.shape_count,
        "expression_count": model.expression_count,
        "load_seconds": loading,
        "seconds": ours,
        "smplx_seconds": theirs,
        "over_smplx": ours / theirs,
        "difference_metres": difference,
    }
    report(
        summary,
        as_json,
        [
            f"loading: {loading:.2f} s",
            f"{FRAMES} frames: {ours * 1e3:.1f} ms, smplx {theirs * 1e3:.1f} ms (one thread each), ratio "
            f"{ours / theirs:.2f}; the vertices differ by at most {difference:.1e} m",
        ],
    )


if __name__ == "__main__":
    main()
