"""The saved .blend, opened in a fresh Blender."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


def test_a_saved_scene_plays_the_sequence(blender: Any, mesh: Any, kit: Any, tmp_path: Path) -> None:
    turned = kit.turn(mesh.vertices, (0, 1, 0), 9)
    facial = np.stack([mesh.vertices, kit.turn(mesh.vertices, (0, 1, 0), 4), kit.smile(mesh, turned, 1)])
    request = mesh.request(kit.camera(48, 40, fx=110.0), facial, facial[1:])
    blend, out = tmp_path / "scene.blend", tmp_path / "seen.npz"
    before = blender.render(request, save_blend=blend)
    subprocess.run(
        [sys.executable, str(HERE / "open_blend.py"), str(blend), str(out)],
        check=True, timeout=120, capture_output=True,
    )  # fmt: skip
    with np.load(out) as seen:
        assert seen["frames"].shape == request.facial.shape
        np.testing.assert_allclose(seen["frames"], request.facial, atol=1e-6)
        assert np.abs(np.diff(seen["frames"], axis=0)).max() > 1e-3
        # Blender's z is up: (x, y, z) there is (x, -z, y) here.
        np.testing.assert_allclose(seen["head_to_blender"] @ [1, 2, 3, 1], [1, -3, 2, 1], atol=1e-6)
        np.testing.assert_allclose(seen["camera"][:3, 3], [0, -0.7, 0], atol=1e-7)
        assert seen["resolution"].tolist() == [48, 40]
        assert seen["background_visible"] and seen["whole_frame"]
        assert seen["rendered_heads"].tolist() == ["head_sequence"]
        assert {"atlas", "background"} <= set(seen["images"].tolist())
        assert seen["packed"].all()
    # Saving leaves no trace in the process.
    after = blender.render(request)
    for frame in before.frames:
        if frame.kind.value.endswith("colour"):
            np.testing.assert_array_equal(before.colour(frame.kind, frame.frame), after.colour(frame.kind, frame.frame))
    assert before.truth(0).facial_flow.tobytes() == after.truth(0).facial_flow.tobytes()
