"""``ffngen view``: what a recording holds, faults, and the viewer in a real browser."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from made_dataset import HEIGHT, WIDTH, camera, make_dataset

from ffngen.cli import main
from ffngen.dataset import FlowDataset
from ffngen.dataset.labels.layout import LabelKind
from ffngen.dataset.labels.make import label_dataset
from ffngen.dataset.view import vertex_colors
from ffngen.dataset.view_labels import shown_labels
from ffngen.flow.color import flow_to_rgb
from ffngen.geometry.normals import vertex_normals

rerun = pytest.importorskip("rerun", reason="rerun-sdk is not installed")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("made") / "dataset", {"train": 2, "val": 1})


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["view", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_what_a_recording_holds(dataset: Path, tmp_path: Path) -> None:
    """Read back by Rerun: the meshes, the camera and the pictures of each pair, at the pair's place in time."""
    path = tmp_path / "faces.rrd"
    code, text, _ = run(dataset, "--save", path, "--limit", 2)
    assert code == 0 and "4 pairs" in text and "2 of 3 sequences" in text
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    table = rerun.dataframe.load_recording(path).view(index="pair", contents="/**").select().read_all()
    assert table["pair"].to_pylist() == [0, 1, 2, 3]
    pairs = list(FlowDataset(dataset, splits=("train",)))

    def values(entity: str, component: str, place: int) -> np.ndarray:
        name = next(n for n in table.column_names if n.startswith(f"/{entity}:") and n.endswith(component))
        return np.asarray(table[name][place].as_py())

    for place, pair in enumerate(pairs):
        mesh = values("world/head", "Position3D", place)
        np.testing.assert_array_equal(np.float32(mesh), pair.vertices.facial[pair.frame - 1])
        flow = cv2.imdecode(np.uint8(values("flow/facial", "Blob", place)[0]), cv2.IMREAD_COLOR)[..., ::-1]
        scale = max(np.hypot(*p.facial_flow.reshape(-1, 2).T).max() for p in pairs[place // 2 * 2 :][:2])
        np.testing.assert_array_equal(flow, flow_to_rgb(pair.facial_flow, scale))
        image = cv2.imdecode(np.uint8(values("image/head_only", "Blob", place)[0]), cv2.IMREAD_COLOR)[..., ::-1]
        np.testing.assert_array_equal(image, pair.head_image2)
        depth = np.uint8(values("world/camera/depth", "ImageBuffer", place)[0]).view(np.float32)
        np.testing.assert_array_equal(depth.reshape(HEIGHT, WIDTH), pair.depth)
        # Rerun keeps matrices by columns, and its pixels begin at their corners.
        K = values("world/camera", "PinholeProjection", place)[0].reshape(3, 3).T
        np.testing.assert_allclose(K - camera().K, [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]], atol=1e-4)


def test_labels_are_shown(dataset: Path, tmp_path: Path) -> None:
    """Those that need no head model: a picture each, where the sequence has them."""
    labelled = tmp_path / "labelled"
    shutil.copytree(dataset, labelled)
    data = FlowDataset(labelled)
    assert shown_labels(data, data.sequences) == []
    list(label_dataset(labelled, (LabelKind.BACKWARD, LabelKind.COVERAGE)))
    assert shown_labels(data, data.sequences) == ["backward facial", "backward head", "coverage"]
    path = tmp_path / "faces.rrd"
    assert run(labelled, "--save", path, "--limit", 1)[0] == 0
    table = rerun.dataframe.load_recording(path).view(index="pair", contents="/**").select().read_all()
    pair = FlowDataset(labelled)[0]
    name = next(n for n in table.column_names if n.startswith("/labels/coverage:") and n.endswith("Blob"))
    shown = cv2.imdecode(np.uint8(table[name][0].as_py()[0]), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(shown, pair.labels.coverage)


def test_normals_and_colours(dataset: Path) -> None:
    """The made head is of flat panels: known normals, and the picture's colours where a vertex is seen."""
    pair = FlowDataset(dataset)[0]
    vertices = pair.vertices
    normals = vertex_normals(vertices.facial[0], vertices.faces)
    face = vertices.facial[0][:49].astype(float)
    across = np.cross(face[1] - face[0], face[7] - face[0])
    np.testing.assert_allclose(normals[:49] @ (across / np.linalg.norm(across)), 1, atol=1e-5)
    colors = vertex_colors(vertices.facial[0], pair)
    pixels, _ = camera().project(vertices.facial[0][49:])  # the nose, before all else
    column, row = np.rint(pixels).astype(int).T
    np.testing.assert_array_equal(colors[49:], pair.image1[row, column])
    hidden = (colors[:49] == 110).all(axis=1)
    assert 3 <= hidden.sum() < 30  # behind the nose, or out of the picture


def test_faults_are_one_line(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    taken = socket.socket()
    taken.bind(("0.0.0.0", 0))
    taken.listen()
    port = taken.getsockname()[1]
    for arguments, words in (
        ((tmp_path,), "not an ffngen dataset"),
        ((dataset, "--sequence", "zz", "--save", tmp_path / "a.rrd"), "no sequence named like zz"),
        ((dataset, "--save", tmp_path / "none" / "a.rrd"), "no such folder"),
        ((dataset, "--web", "--port", port), f"port {port}: cannot be opened"),
        ((dataset, "--web", "--save", tmp_path / "a.rrd"), "choose one"),
        *([((dataset,), "no screen")] if sys.platform == "linux" else []),
    ):
        code, _, fault = run(*arguments)
        assert code == 2 and words in fault and len(fault.strip().splitlines()) == 1
    taken.close()
    broken = tmp_path / "broken"
    shutil.copytree(dataset, broken)
    next((broken / "flow" / "head").rglob("*.flo")).write_bytes(b"PIEH")
    assert run(broken, "--save", tmp_path / "a.rrd", "--limit", 9)[0] == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["broken"]


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
#: WebGL in software, as there may be no GPU.
SOFTWARE = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
#: The page is to need nothing from elsewhere.
OFFLINE = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


#: Drawing in software on a busy machine takes its time, seconds.
PATIENCE = 120
#: The share of the picture's colours that must be on the page: a page without it has hardly any of them.
ENOUGH = 0.7


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (apt-get install chromium)")
@pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed")
def test_the_viewer_in_a_browser(dataset: Path, tmp_path: Path) -> None:
    """The page draws image t+1 of the last pair in its very colours."""
    from playwright.sync_api import sync_playwright

    port = free_ports()
    start = [sys.executable, "-c", "from ffngen.cli import main; main()", "view"]
    options = ["--web", "--limit", "1", "--port", str(port)]
    server = subprocess.Popen([*start, str(dataset), *options], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = next(word for line in server.stdout for word in line.split() if word.startswith("http"))
        pair = FlowDataset(dataset, splits=("train",)).pairs(FlowDataset(dataset).sequences[0])[-1]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE + OFFLINE)
            page = browser.new_page(viewport={"width": 1200, "height": 720})
            page.goto(url)
            shown, end = 0.0, time.monotonic() + PATIENCE
            while shown < ENOUGH and time.monotonic() < end:
                time.sleep(1)
                page.screenshot(path=tmp_path / "viewer.png", timeout=1000 * PATIENCE)
                shown = share_shown(cv2.imread(str(tmp_path / "viewer.png"))[..., ::-1], pair.image2)
            browser.close()
        assert shown >= ENOUGH, f"{shown:.0%} of the colours of image t+1 are on the page: {tmp_path / 'viewer.png'}"
    finally:
        server.terminate()
        server.wait(30)


def free_ports() -> int:
    """A port that is free, as the next one is."""
    for port in range(20000 + os.getpid() % 20000, 60000, 97):
        try:
            for number in (port, port + 1):
                with socket.socket() as probe:
                    probe.bind(("0.0.0.0", number))
        except OSError:
            continue
        return port
    raise AssertionError("no free port")


def share_shown(page: np.ndarray, picture: np.ndarray) -> float:
    """Which share of a picture's colours a page has; the viewer magnifies by repeating pixels."""
    there, wanted = (np.unique(image.reshape(-1, 3), axis=0) @ [1 << 16, 1 << 8, 1] for image in (page, picture))
    return float(np.isin(wanted, there).mean())
