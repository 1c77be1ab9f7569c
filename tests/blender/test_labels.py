"""Labels against Blender's own passes of the open head: Vector's backward half, Normal, UV, Material Index."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from ffngen.dataset.labels import compute
from ffngen.dataset.labels.surface import Surface
from ffngen.dataset.labels.zbuffer import ProjectedMesh, SeenFrame
from ffngen.dataset.raycast import cast_frame
from ffngen.flow.passes import decode_vector_pass_backward
from ffngen.geometry.plane import FacingPlane
from ffngen.head.load import load_head

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def seen(blender: Any, mesh: Any, kit: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two frames of the open head with an open mouth, off-centre, and Blender's passes of the second."""
    model = load_head("open")
    pose = np.zeros((2, 15))
    pose[:, 6] = 0.25  # the jaw
    pose[1, :3] = [0.06, -0.12, 0.04]
    betas = np.random.default_rng(3).normal(size=20)
    vertices = model.vertices(betas, np.zeros((2, 1)), pose)
    vertices -= vertices[0].mean(axis=0)
    camera = kit.camera(220, 200, fx=520.0, fy=430.0, shift=(12.3, -21.7), position=(0.02, -0.03, 0.75))
    request = mesh.request(
        camera, vertices, vertices[:1], faces=model.faces, uv_coordinates=model.uv.coordinates,
        uv_faces=model.uv.faces, face_materials=np.zeros(len(model.faces), np.uint8),
    )  # fmt: skip
    folder, _ = blender.write(request)
    surface = Surface.of(model, model.faces)
    out = tmp_path_factory.mktemp("passes")
    np.save(out / "ids.npy", surface.face_ids)
    subprocess.run(
        [sys.executable, str(HERE / "render_passes.py"), str(folder), str(out / "ids.npy"), str(out)],
        check=True, timeout=250, capture_output=True,
    )  # fmt: skip
    channels = {}
    for name in ("geometry.exr", "index.exr"):
        with OpenEXR.File(str(out / name), separate_channels=True) as file:
            channels |= {".".join(key.split(".")[-2:]): np.asarray(c.pixels) for key, c in file.channels().items()}
    first, second = (SeenFrame.of(ProjectedMesh.of(v, model.faces, camera)) for v in vertices)
    cast = cast_frame(vertices[1], model.faces, camera)
    inside = second.hit & ~cast.silhouette(((vertices[0], cast.camera),))
    assert inside.sum() > 6000
    return {"channels": channels, "first": first, "second": second, "surface": surface, "inside": inside}


def test_mask(seen: dict[str, Any]) -> None:
    assert ((seen["channels"]["Depth.Z"] < 1e9) != seen["second"].hit).mean() < 1e-4


def test_backward_flow(seen: dict[str, Any]) -> None:
    vector = np.stack([seen["channels"][f"Vector.{c}"] for c in "XYZW"], axis=-1)
    blenders = decode_vector_pass_backward(vector)
    ours = compute.flow(seen["second"], seen["first"].mesh, FacingPlane(seen["first"].mesh.camera, 2.0))
    error = np.hypot(*(ours - blenders)[seen["inside"]].T)
    assert np.percentile(error, 99) <= 1e-3
    assert np.hypot(*ours[seen["inside"]].T).max() > 10


def test_normals(seen: dict[str, Any]) -> None:
    """Blender's are in its world's axes: x right, y away from the camera, z up; ours point right, down and away."""
    blenders = np.stack([seen["channels"][f"Normal.{c}"] for c in "XYZ"], axis=-1)[seen["inside"]]
    blenders = np.stack([blenders[:, 0], -blenders[:, 2], blenders[:, 1]], axis=-1)
    ours = compute.normals(seen["second"])[seen["inside"]]
    angle = np.degrees(np.arccos(np.clip((ours * blenders).sum(axis=1), -1, 1)))
    assert np.median(angle) <= 0.5
    assert np.percentile(angle, 99) <= 1


def test_uv(seen: dict[str, Any]) -> None:
    blenders = np.stack([seen["channels"][f"UV.{c}"] for c in "UV"], axis=-1)
    ours = compute.uv(seen["second"], seen["surface"])
    error = np.abs(ours - blenders)[seen["inside"]].max(axis=1)
    assert (error <= 1e-4).mean() >= 0.995


def test_segmentation(seen: dict[str, Any]) -> None:
    blenders = seen["channels"]["Material Index.X"]
    ours = compute.segmentation(seen["second"], seen["surface"])
    assert (ours == blenders)[seen["second"].hit].mean() >= 0.995
    # The picture shows what the ids stand for: lips, teeth or the mouth's inside, both eyes, ears, the neck.
    assert {1, 2, 3, 4, 5, 6, 7, 8, 13} <= set(np.unique(ours).tolist())
    assert np.isin([10, 11, 12], ours).any()
