from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ffngen.appearance.materials import sample_eye, sample_skin
from ffngen.appearance.textures import TextureFolder, load_user_texture
from ffngen.errors import FfngenError, InputFileError


def test_a_texture_is_read_as_it_is(tmp_path: Path) -> None:
    texture = np.random.default_rng(0).integers(0, 255, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(texture).save(tmp_path / "face.png")
    assert (load_user_texture(tmp_path / "face.png") == texture).all()


def test_choice_depends_on_the_seed_alone(tmp_path: Path) -> None:
    for i in (2, 0, 1):
        Image.fromarray(np.full((64, 64, 3), 60 * i, dtype=np.uint8)).save(tmp_path / f"{i}.PNG")

    def chosen(seed: int) -> tuple[str, int]:
        worn = TextureFolder.open(tmp_path).worn_by("nobody", np.random.default_rng(seed))
        assert worn.record == {"texture_from": "seed"}
        return worn.name, int(worn.texture[0, 0, 0])

    assert [chosen(s) for s in range(10)] == [chosen(s) for s in range(10)]
    assert {chosen(s) for s in range(30)} == {("0.PNG", 0), ("1.PNG", 60), ("2.PNG", 120)}


def test_an_identity_wears_its_own_texture(tmp_path: Path) -> None:
    for i, name in enumerate(("open-000001", "mia", "zoe")):
        Image.new("RGB", (64, 64), (10 * i, 0, 0)).save(tmp_path / f"{name}.png")
    folder = TextureFolder.open(tmp_path)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        assert folder.worn_by("open-000001", rng).name == "open-000001.png"
        worn = folder.worn_by("actors/mia", rng)
        assert worn.name == "mia.png" and worn.record == {"texture_from": "name"} and worn.texture[0, 0, 0] == 10
    drawn = {folder.worn_by("nobody", np.random.default_rng(seed)).name for seed in range(30)}
    assert drawn == {"open-000001.png", "mia.png", "zoe.png"}


def test_textures_may_lie_in_folders_below(tmp_path: Path) -> None:
    places = ("00000/000001.png", "00000/000002.png", "01000/001003.png", "01000/000002.png", ".cache/x.png")
    for i, place in enumerate(places):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), (10 * i, 0, 0)).save(tmp_path / place)
    folder, rng = TextureFolder.open(tmp_path), np.random.default_rng(0)
    assert [path.relative_to(tmp_path).as_posix() for path in folder.files] == sorted(places[:4])
    assert folder.worn_by("001003", rng).name == "01000/001003.png"
    assert folder.worn_by("01000/000002", rng).name == "01000/000002.png"
    assert folder.worn_by("000002", rng).record == {"texture_from": "seed"}, "two are named so"
    Image.new("RGB", (64, 64)).save(tmp_path / "top.png")
    assert [path.name for path in TextureFolder.open(tmp_path).files] == ["top.png"], "previews below are no textures"


def test_what_is_no_texture_is_said_before_anything_is_rendered(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    before = TextureFolder.open(tmp_path).digest
    for name, image, words in (
        ("oblong.png", Image.new("RGB", (64, 96)), "square"),
        ("tiny.png", Image.new("RGB", (16, 16)), "too small"),
        ("grey.png", Image.new("L", (64, 64)), "grey"),
        ("deep.png", Image.new("I;16", (64, 64)), "grey"),
    ):
        image.save(tmp_path / name)
        with pytest.raises(InputFileError, match=words) as caught:
            TextureFolder.open(tmp_path)
        assert name in str(caught.value)
        (tmp_path / name).unlink()
    Image.new("P", (64, 64)).save(tmp_path / "b.png")
    assert TextureFolder.open(tmp_path).digest != before


def test_malformed_textures_give_one_line_each(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("this is no image\n")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "array.png").write_bytes(b"\x93NUMPY\x01\x00")
    Image.fromarray(np.zeros((64, 96, 3), dtype=np.uint8)).save(tmp_path / "oblong.png")
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / "tiny.png")
    for name in ("text.png", "empty.png", "array.png", "oblong.png", "tiny.png", "missing.png"):
        with pytest.raises(InputFileError) as caught:
            load_user_texture(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    for folder in (tmp_path / "absent", nothing, tmp_path / "tiny.png"):
        with pytest.raises(FfngenError, match="textures") as caught:
            TextureFolder.open(folder)
        assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_materials_vary_mildly_and_are_json_ready() -> None:
    skins = [sample_skin(np.random.default_rng(seed)) for seed in range(50)]
    assert skins[0] == sample_skin(np.random.default_rng(0)) and skins[0] != skins[1]
    assert all(0.4 < skin.roughness < 0.7 and 0 < skin.specular < 0.5 for skin in skins)
    assert all(0 < skin.subsurface_weight <= 1 and 0.001 < skin.subsurface_scale < 0.005 for skin in skins)
    eye = sample_eye(np.random.default_rng(0))
    assert eye.coat_weight == 1 and eye.coat_roughness < 0.1
    for material in (skins[0], eye):
        assert set(json.loads(json.dumps(material.to_json()))) == set(material.to_json())
