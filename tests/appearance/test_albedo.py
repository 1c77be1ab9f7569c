from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ffngen.appearance.albedo import KEPT, AlbedoModel
from ffngen.errors import HeadModelError, InputFileError
from ffngen.head.model import HeadModel
from ffngen.head.uv import cylindrical_uv

SIDE = 64


def arrays(directions: int = 3, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """A mean whose colour, last axis, is 0.2, 0.4, 0.6; direction k brightens channel k by 0.1."""
    mean = np.broadcast_to(np.array([0.2, 0.4, 0.6]), (SIDE, SIDE, 3)) * scale
    basis = np.zeros((SIDE, SIDE, 3, directions))
    for k in range(3):
        basis[:, :, k, k] = 0.1 * scale
    return mean, basis


def test_flame_texture_is_blue_first_and_of_255(tmp_path: Path) -> None:
    mean, basis = arrays(scale=255)
    np.savez(tmp_path / "FLAME_texture.npz", mean=mean, tex_dir=basis)
    worn = AlbedoModel.open(tmp_path / "FLAME_texture.npz").worn_by(np.array([1.0, 0, -2.0]), np.random.default_rng(0))
    # Blue 0.2 + 0.1, green 0.4, red 0.6 - 0.2.
    np.testing.assert_array_equal(worn.texture[5, 7], np.rint(255 * np.array([0.4, 0.4, 0.3])))
    assert worn.record["texture_from"] == "tracker" and worn.record["texture_code"] == [1.0, 0.0, -2.0]
    assert worn.texture.shape == (SIDE, SIDE, 3) and worn.texture.dtype == np.uint8


def test_the_rows_of_a_flattened_model_stay_where_they_are(tmp_path: Path) -> None:
    mean, basis = arrays()
    mean = mean + np.linspace(0, 0.3, SIDE)[:, None, None]
    np.savez(tmp_path / "a.npz", MU=mean.ravel(), PC=basis.reshape(-1, 3))
    worn = AlbedoModel.open(tmp_path / "a.npz").worn_by(np.zeros(3), np.random.default_rng(0))
    np.testing.assert_allclose(worn.texture[:, 9, 0] / 255, 0.6 + np.linspace(0, 0.3, SIDE), atol=0.003)


def test_linear_light_is_red_first_and_encoded(tmp_path: Path) -> None:
    mean, basis = arrays()
    np.savez(tmp_path / "a.npz", MU=mean, PC=basis, specMU=np.zeros((SIDE, SIDE, 3)))
    worn = AlbedoModel.open(tmp_path / "a.npz").worn_by(np.zeros(50), np.random.default_rng(0))
    expected = 255 * (1.055 * np.array([0.2, 0.4, 0.6]) ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(worn.texture[0, 0], expected, atol=1)


def test_without_codes_the_seed_draws(tmp_path: Path) -> None:
    mean, basis = arrays(directions=KEPT + 7)
    np.savez(tmp_path / "a.npz", MU=mean, PC=basis)
    model = AlbedoModel.open(tmp_path / "a.npz")
    assert model.basis.shape[-1] == KEPT
    one, same, other = (model.worn_by(None, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert (one.texture == same.texture).all() and one.record == same.record and one.name == same.name
    assert one.name != other.name and (one.texture != other.texture).any()
    assert one.record["texture_from"] == "seed" and np.abs(one.record["texture_code"]).max() <= 2.5
    code = np.array(one.record["texture_code"][:3])
    np.testing.assert_allclose(one.texture[0, 0] / 255, np.clip([0.6, 0.4, 0.2] + 0.1 * code[::-1], 0, 1), atol=0.003)


def test_only_flames_own_layout_is_taken(tmp_path: Path, made_head: HeadModel) -> None:
    mean, basis = arrays()
    np.savez(tmp_path / "a.npz", MU=mean, PC=basis)
    model = AlbedoModel.open(tmp_path / "a.npz")
    with pytest.raises(HeadModelError, match="the head is open's"):
        model.require_layout(made_head)
    flame = replace(made_head, family="flame2020")
    model.require_layout(flame)
    with pytest.raises(HeadModelError, match=r"head_template\.obj"):
        model.require_layout(replace(flame, uv=cylindrical_uv(flame.template, flame.faces)))


def test_files_that_are_no_model_give_one_line(tmp_path: Path) -> None:
    mean, basis = arrays()
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", v_template=mean)
    np.savez(tmp_path / "half.npz", mean=mean)
    np.savez(tmp_path / "odd.npz", mean=mean, tex_dir=basis[:-1])
    np.savez(tmp_path / "oblong.npz", mean=mean[:-1], tex_dir=basis)
    np.savez(tmp_path / "nan.npz", mean=np.full_like(mean, np.nan), tex_dir=basis)
    np.savez(tmp_path / "words.npz", mean=np.full((SIDE, SIDE, 3), "x"), tex_dir=basis)
    np.savez(tmp_path / "objects.npz", mean=np.array([{}]), tex_dir=basis)
    for name in ("text", "other", "half", "odd", "oblong", "nan", "words", "objects", "missing"):
        with pytest.raises(InputFileError) as caught:
            AlbedoModel.open(tmp_path / f"{name}.npz")
        assert f"{name}.npz" in str(caught.value) and "\n" not in str(caught.value)
