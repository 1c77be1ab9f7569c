"""The protocols on a rendered sequence, whose true flow must have next to no error: their own floor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ffngen.cli import main
from ffngen.dataset.labels.files import read_points
from ffngen.dataset.read import FlowDataset
from ffngen.flow.values import known
from ffngen.realworld.rendered import rendered_landmarks, rendered_vertices
from ffngen.realworld.triangles import triangle_flow

RUN = "from ffngen.cli import main; main()"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person in two frames, 224x224, with landmarks."""
    pytest.importorskip("bpy")
    out = tmp_path_factory.mktemp("rendered") / "dataset"
    options = "--device cpu --samples 1 --n-frames 2 --resolution 224 --seed 5 --emotion happy --labels landmarks"
    done = subprocess.run(
        [sys.executable, "-c", RUN, "render", "--json", "--out", str(out), *options.split()],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.bpy
@pytest.mark.parametrize("kind", ["landmarks", "vertices"])
def test_true_flow_is_the_floor(rendered: Path, kind: str, tmp_path: Path) -> None:
    out = tmp_path / "report"
    arguments = ("evalreal", kind, rendered, "--dataset", "ffngen", "--flows", f"true={rendered / 'flow'}")
    run(*arguments, "--visible", "--out", out)
    report = json.loads((out / "report.json").read_text())
    for flow in ("facial", "head", "expression"):
        true, zero = (report["results"][name][flow] for name in ("true", "zero"))
        assert true["epe"] < 0.1
        assert true["points"] == zero["points"] >= (30 if kind == "landmarks" else 500)
        assert true["epe"] < 0.1 * zero["epe"]
    assert report["results"]["zero"]["facial"]["epe"] > 2
    assert set(report["results"]["true"]["facial"]["regions"]) >= {"lips", "eyes"}
    # What is hidden is measured without --visible, and errs more.
    everything = json.loads(run(*arguments, "--json"))["results"]["true"]["facial"]
    assert everything["points"] > report["results"]["true"]["facial"]["points"]
    assert everything["epe"] > report["results"]["true"]["facial"]["epe"]


@pytest.mark.bpy
def test_both_know_one_motion(rendered: Path) -> None:
    """The vertices of the labels, and those projected here; facial less head flow is expression flow."""
    pair = FlowDataset(rendered)[0]
    points = rendered_vertices(rendered, split="all", visible=True).pairs[0].load()
    labels = pair.labels.landmarks
    np.testing.assert_allclose(points.start, labels.vertices, atol=1e-3)
    assert labels.vertices_visible[points.counted["facial"]].mean() > 0.999
    for of in (points, rendered_landmarks(rendered, split="all", visible=False).pairs[0].load()):
        np.testing.assert_allclose(of.motion["facial"] - of.motion["head"], of.motion["expression"], atol=1e-9)
        assert np.abs(of.motion["expression"]).max() > 0.5


@pytest.mark.bpy
def test_triangles_against_exact_flow(rendered: Path, tmp_path: Path) -> None:
    command = ("labels", "compare", rendered, "--noise", "2")
    text = run(*command, "--picture", tmp_path / "worst.png")
    assert (tmp_path / "worst.png").stat().st_size > 10_000
    results = json.loads(run(*command, "--json"))["results"]
    still, exact, noisy = (row["epe"] for row in results)
    assert 0.05 < exact < 0.3 * still and exact < noisy
    assert all(f"{epe:.3f}" in text for epe in (still, exact, noisy))
    # Independent of the command: the labels of the landmarks themselves, on the head within the hull.
    pair = FlowDataset(rendered)[0]
    folder = rendered / "landmarks/facial" / str(pair.metadata.key)
    before, after = (read_points(folder / f"{t:04d}.npz").landmarks.astype(np.float64) for t in (1, 2))
    flow, valid = triangle_flow(before, after, pair.metadata.size)
    inside = valid & (pair.mask > 0) & known(pair.facial_flow)
    error = np.linalg.norm((flow - pair.facial_flow)[inside], axis=-1).mean()
    assert exact == pytest.approx(error, abs=1e-6)
    # And as a dataset of their own, from the pictures and the labels' files.
    images = rendered / "image/facial" / str(pair.metadata.key)
    assert "1 pairs in mine" in run("labels", "triangles", images, folder, tmp_path / "out", "--name", "mine")


def test_a_made_dataset_without_landmarks(made_dataset: Path) -> None:
    """Faults, and regions that no head model tells."""
    command = ("evalreal", "landmarks", made_dataset, "--dataset")
    assert f"ffngen label {made_dataset} --add landmarks" in run(*command, "ffngen", code=2)
    assert "has no folder cohn-kanade-images" in run(*command, "ck+", code=2)
    assert "are for ffngen datasets" in run(*command, "ck+", "--visible", code=2)
    pytest.importorskip("embreex")
    flows = f"true={made_dataset / 'flow'}"
    text = run("evalreal", "vertices", made_dataset, "--dataset", "ffngen", "--visible", "--flows", flows, "--json")
    report = json.loads(text)
    assert report["results"]["true"]["facial"]["epe"] < 0.02
    assert report["results"]["zero"]["facial"]["epe"] > 2
    assert any("all vertices are counted" in note for note in report["notes"])
    assert "ffngen label" in run("labels", "compare", made_dataset, code=2)
