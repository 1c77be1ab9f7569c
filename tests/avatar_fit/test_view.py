"""Views: their truth at another size, what stands behind, and what is left out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_dataset import GRID, HEIGHT, WIDTH, camera, grid_faces

from ffngen.avatar_fit.source import open_source
from ffngen.avatar_fit.view import make_view
from ffngen.dataset.read import FlowDataset
from ffngen.errors import FfngenError

pytest.importorskip("embreex", reason="embreex is not installed")


def disc(radius: float) -> np.ndarray:
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    return np.hypot(u - 80, v - 60) < radius


def test_a_view_at_half_the_size() -> None:
    image = np.where(disc(30)[..., None], [200, 10, 10], [10, 10, 200]).astype(np.uint8)
    view = make_view(image, disc(30), camera(), np.zeros((3, 3)), WIDTH // 2)
    assert view.image.shape == (HEIGHT // 2, WIDTH // 2, 3) and view.camera == camera().resized(WIDTH // 2, HEIGHT // 2)
    assert view.inside.sum() == pytest.approx(disc(30).sum() / 4, rel=0.03)
    # Behind the head the background goes on, untouched by the head's colour.
    np.testing.assert_allclose(view.background * 255, np.broadcast_to([10, 10, 200], view.image.shape), atol=1)
    head = view.image[view.inside & ~view.outline] * 255
    np.testing.assert_allclose(head, np.broadcast_to([200, 10, 10], head.shape), atol=1)
    assert view.counted.all() and 20 < view.outline.sum() < 400
    colour, alpha = np.zeros_like(view.image), np.zeros(view.inside.shape)
    np.testing.assert_array_equal(view.before_background(colour, alpha), view.background)


def test_what_is_worn_does_not_count() -> None:
    view = make_view(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8), disc(30), camera(), np.zeros((3, 3)), 999, left_out=disc(10)
    )
    assert not view.counted[disc(10)].any() and not view.inside[disc(10)].any()
    assert view.inside[disc(28) & ~disc(12)].all() and view.counted[disc(28) & ~disc(12)].all()
    assert (view.background == 0).all()


def panels_model(faces: np.ndarray, digest: str = "1" * 64) -> Any:
    neutral = SimpleNamespace(neutral=np.zeros((2 * GRID * GRID, 3)))
    return SimpleNamespace(digest=digest, faces=faces, with_shape=lambda betas: neutral)


def test_a_dataset_s_views(made_dataset: Path) -> None:
    source = open_source(made_dataset, panels_model(grid_faces()), "made-000002")
    pairs = FlowDataset(made_dataset).pairs(FlowDataset(made_dataset).sequences[0])
    assert len(source.views) == 5 and len(source.held_out) == 1
    assert set(source.fitted) | set(source.held_out) == set(source.views)
    data = FlowDataset(made_dataset)
    (key,) = (key for key in data.sequences if "made-000002" in key.sequence)
    pairs = data.pairs(key)
    first, head = source.views[0].load(999), source.views[3].load(999)
    np.testing.assert_allclose(first.image * 255, pairs[0].image1, atol=1e-3)
    assert (first.inside == (pairs[0].mask > 0)).mean() > 0.995
    np.testing.assert_array_equal(first.vertices, pairs[0].vertices.facial[0])
    np.testing.assert_allclose(head.image * 255, pairs[0].head_image2, atol=1e-3)
    np.testing.assert_array_equal(head.vertices, pairs[0].vertices.head[0])


def test_props_of_a_dataset_are_left_out(made_dataset: Path) -> None:
    """The second panel, as if it were no part of the head."""
    faces = grid_faces()[: len(grid_faces()) // 2]
    view = open_source(made_dataset, panels_model(faces), "made-000001").views[0].load(999)
    assert 100 < (~view.counted).sum() < view.inside.sum() and not (view.inside & ~view.counted).sum() > 500


@pytest.mark.parametrize(
    ("words", "identity", "digest"),
    [
        ("9 people; name one with --identity", None, "1" * 64),
        ("nobody is 'x'", "x", "1" * 64),
        ("rendered with another head", "made-000001", "2" * 64),
    ],
)
def test_persons_that_are_not_there(made_dataset: Path, words: str, identity: str | None, digest: str) -> None:
    with pytest.raises(FfngenError, match=words):
        open_source(made_dataset, panels_model(grid_faces(), digest), identity)


def test_a_folder_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(FfngenError, match="neither an ffngen dataset nor"):
        open_source(tmp_path, panels_model(grid_faces()))
