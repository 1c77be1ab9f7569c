"""Extraction from pictures whose texture, camera and light are known, through the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ffngen.appearance.colour import linear_to_srgb, srgb_to_linear
from ffngen.appearance.layout import FaceLayout
from ffngen.appearance.skin import faces_of_skin, generate_texture
from ffngen.appearance.textures import TextureFolder
from ffngen.appearance.uv_raster import rasterise
from ffngen.cli import main
from ffngen.dataset.raycast import cast_frame
from ffngen.errors import FfngenError
from ffngen.geometry.camera import Camera
from ffngen.geometry.normals import vertex_normals
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.motion.sequence import make_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.sampler import sample_parameter_set
from ffngen.params.table import write_parameter_sets
from ffngen.texture.extract import extract_texture
from ffngen.texture.patch import Patch
from ffngen.texture.people import find_people
from ffngen.texture.view import View, project

SIZE, PIXELS = 192, 200


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head("open")


def camera() -> Camera:
    """Off-centre, with unequal focal lengths."""
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[:3, 3] = [0.02, 0.01, 0.9]
    return Camera(np.array([[560.0, 0, 108.0], [0, 540, 95.0], [0, 0, 1]]), T, PIXELS, PIXELS)


def posed(head: HeadModel, yaw: float, seed: int = 3) -> ParameterSet:
    base = sample_parameter_set(head.shape_count, head.expression_names, seed=seed, identity_index=0, emotion="neutral")
    pose = np.zeros(15)
    pose[1] = np.radians(yaw)
    still = np.zeros_like(base.expression)
    return replace(base, pose=pose, expression=still, identity="mia", image=f"mia{yaw}.png", camera=camera())


def vertices_of(head: HeadModel, one: ParameterSet) -> np.ndarray:
    return sequence_vertices(head, make_sequence(one, 2))[0][-1]


def photo(head: HeadModel, one: ParameterSet, texture: np.ndarray, lamp: tuple[float, float, float]) -> np.ndarray:
    """A picture by ray casting: even light, and a lamp from a direction that lights by the cosine; 3.5% gloss."""
    vertices = vertices_of(head, one).astype(np.float64)
    fine = camera().resized(PIXELS * 3, PIXELS * 3)
    frame = cast_frame(vertices, head.faces, fine)
    triangle, weights = frame.triangle[frame.hit], frame.barycentric[frame.hit]
    normals = np.einsum("pc,pcx->px", weights, vertex_normals(vertices, head.faces)[head.faces[triangle]])
    place = np.einsum("pc,pcx->px", weights, head.uv.per_corner()[triangle])
    texel = np.stack([place[:, 0] * len(texture) - 0.5, (1 - place[:, 1]) * len(texture) - 0.5], axis=1)
    maps = np.zeros((*frame.hit.shape, 2), dtype=np.float32)
    maps[frame.hit] = texel
    colour = cv2.remap(srgb_to_linear(texture), maps, None, cv2.INTER_LINEAR)[frame.hit]
    direction = np.array(lamp) / np.linalg.norm(lamp)
    picture = np.full((*frame.hit.shape, 3), 0.3)
    light = (0.6 + 0.5 * np.clip(normals @ direction, 0, 1))[:, None]
    picture[frame.hit] = (colour + 0.035) * light
    blocks = picture.reshape(PIXELS, 3, PIXELS, 3, 3).mean(axis=(1, 3))
    return linear_to_srgb(blocks.astype(np.float32))


@pytest.fixture(scope="module")
def photos(head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of one person in three lights, the true texture, and the table of parameters."""
    folder = tmp_path_factory.mktemp("photos")
    texture = generate_texture(head, seed=12, size=512)[..., :3]
    Image.fromarray(texture).save(folder / "truth.tif")
    sets = [posed(head, yaw) for yaw in (-35, 0, 35)]
    (folder / "pictures").mkdir()
    for one, lamp in zip(sets, [(1, 0.5, 1), (-1, 1, 1), (0.5, 0, 1)], strict=True):
        Image.fromarray(photo(head, one, texture, lamp)).save(folder / "pictures" / str(one.image))
    write_parameter_sets(folder / "mia.parquet", sets)
    return folder


def seen_skin(head: HeadModel, confidence: np.ndarray) -> np.ndarray:
    raster = rasterise(head, SIZE)
    texels = raster.texels[raster.covered & faces_of_skin(head)[raster.face]]
    return texels[confidence.ravel()[texels] > 0]


def test_a_known_texture_is_found_again(head: HeadModel, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "textures"
    arguments = ["texture", "extract", photos / "pictures", out, "--params", photos / "mia.parquet", "--size", SIZE]
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    (report,) = json.loads(result.output)["textures"]
    assert report["views"] == 3 and 0.5 < report["seen"] < 0.75 and not report["kept"]
    texture, confidence = (np.asarray(Image.open(out / name)) for name in ("mia.png", "mia/confidence.png"))
    assert texture.shape == (SIZE, SIZE, 3) and Image.open(out / "mia/preview.png").size[0] > 1000
    truth = cv2.resize(np.asarray(Image.open(photos / "truth.tif")), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    seen = seen_skin(head, confidence[..., 0])
    error = texture.reshape(-1, 3)[seen].astype(float) - truth.reshape(-1, 3)[seen]
    assert 10 * np.log10(255**2 / (error**2).mean()) > 28
    # What nobody saw is skin too, of the person's tone: neither black nor the atlas's filling.
    hidden = np.setdiff1d(seen_skin(head, np.ones_like(confidence[..., 0])), seen)
    assert (
        np.abs(
            np.median(texture.reshape(-1, 3)[hidden], axis=0) - np.median(truth.reshape(-1, 3)[hidden], axis=0)
        ).max()
        < 40
    )
    # It is what rendering takes for this person, and it is kept when nothing has changed.
    worn = TextureFolder.open(out).worn_by("mia", np.random.default_rng(0))
    assert worn.record == {"texture_from": "name"} and (worn.texture == texture).all()
    before = (out / "mia.png").stat().st_mtime_ns
    again = CliRunner().invoke(main, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert json.loads(again.output)["textures"][0]["kept"] and (out / "mia.png").stat().st_mtime_ns == before


def test_texels_are_looked_up_where_they_are(head: HeadModel) -> None:
    """A picture whose red is u and whose green is v: every texel must find its own place in it."""
    one = posed(head, 20)
    vertices = vertices_of(head, one)
    v, u = np.mgrid[:PIXELS, :PIXELS]
    image = np.stack([u, v, np.full_like(u, 128)], axis=-1).astype(np.uint8)
    raster, layout = rasterise(head, 256), FaceLayout.of(head)
    patch = Patch.of_skin(head, layout, raster)
    seen = project(View(image, camera(), vertices, "x"), head.faces, patch.corners, patch.barycentric)
    chosen = (seen.weight > 0) & patch.covered
    points = np.einsum("nc,ncx->nx", patch.barycentric[chosen].astype(float), vertices[patch.corners[chosen]])
    pixels = camera().project(points)[0]
    found = linear_to_srgb(seen.colour[chosen])[:, :2]
    assert len(found) > 5000 and np.abs(found - pixels).max() < 1.01
    # What the camera meets first is seen, and nothing behind it.
    frame = cast_frame(vertices, head.faces, camera())
    nearest = np.rint(pixels).astype(int)
    depth = frame.depth[nearest[:, 1], nearest[:, 0]]
    assert np.median(np.abs(camera().to_camera(points)[:, 2] - depth)) < 1e-3
    # The subject's left cheek turns away when the head turns to its left.
    left = patch.points[:, 0] > 40
    assert seen.weight[left].sum() < 0.5 * seen.weight[patch.points[:, 0] < -40].sum() or one.pose[1] < 0


SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "flame2023_open_lite"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
def test_flame_too() -> None:
    """FLAME has no mouth and no eye sockets; a tone that is known comes back."""
    flame = load_head(SHARED)
    one = ParameterSet(np.zeros(1), np.zeros(1), np.zeros(15), flame.family, "mia", "none", "test", camera=camera())
    texture = np.full((256, 256, 3), [170, 120, 95], dtype=np.uint8)
    image = photo(flame, one, texture, (0.3, 0.4, 1))
    extracted = extract_texture(flame, [View(image, camera(), vertices_of(flame, one), "x")], size=SIZE)
    raster = rasterise(flame, SIZE)
    texels = raster.texels[raster.covered & faces_of_skin(flame)[raster.face]]
    error = extracted.texture.reshape(-1, 3)[texels].astype(int) - texture[0, 0]
    seen = extracted.confidence.ravel()[texels] > 128
    assert np.abs(np.median(error[seen], axis=0)).max() < 12 and np.abs(np.median(error[~seen], axis=0)).max() < 20


def extract(*arguments: object) -> str:
    result = CliRunner().invoke(main, ["texture", "extract", *map(str, arguments)])
    assert result.exit_code == 2 and not isinstance(result.exception, (ValueError, TypeError, KeyError)), result.output
    assert result.output.startswith("ffngen: ") and result.output.count("\n") == 1
    return result.output


def test_faults_are_one_line_and_leave_nothing(photos: Path, tmp_path: Path, head: HeadModel) -> None:
    out, table = tmp_path / "out", photos / "mia.parquet"
    stranger = tmp_path / "stranger.png"
    Image.new("RGB", (PIXELS, PIXELS)).save(stranger)
    assert "no parameters of this picture" in extract(stranger, out, "--params", table)
    assert "no such picture" in extract(tmp_path / "nosuch.png", out, "--params", table)
    assert "is missing" in extract(stranger, out, "--params", tmp_path / "nosuch.parquet")
    (tmp_path / "empty").mkdir()
    assert "no pictures in it" in extract(tmp_path / "empty", out, "--params", table)
    (tmp_path / "strangers").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "strangers" / "a.png")
    assert "no picture has parameters" in extract(tmp_path / "strangers", out, "--params", table)
    wide = tmp_path / "mia0.png"
    Image.new("RGB", (2 * PIXELS, PIXELS)).save(wide)
    assert "aspect" in extract(wide, out, "--params", table)
    one = posed(head, 0)
    write_parameter_sets(tmp_path / "blind.parquet", [replace(one, camera=None)])
    picture = photos / "pictures" / "mia0.png"
    assert "camera" in extract(picture, out, "--params", tmp_path / "blind.parquet")
    behind = replace(one, translation=np.array([0, 0, 5.0]))
    write_parameter_sets(tmp_path / "behind.parquet", [behind])
    assert "behind" in extract(picture, out, "--params", tmp_path / "behind.parquet")
    aside = replace(one, translation=np.array([3.0, 0, 0]))
    write_parameter_sets(tmp_path / "aside.parquet", [aside])
    assert "put no face into the picture" in extract(picture, out, "--params", tmp_path / "aside.parquet")
    write_parameter_sets(tmp_path / "twice.parquet", [one, replace(one, identity="zoe")])
    assert "2 parameter sets" in extract(picture, out, "--params", tmp_path / "twice.parquet")
    write_parameter_sets(tmp_path / "other.parquet", [replace(one, family="flame2020")])
    assert "flame2020" in extract(picture, out, "--params", tmp_path / "other.parquet")
    write_parameter_sets(tmp_path / "named.parquet", [replace(one, identity="../m\n")])
    assert "name of a texture" in extract(picture, out, "--params", tmp_path / "named.parquet")
    (tmp_path / "broken.png").write_bytes(picture.read_bytes()[:500])
    write_parameter_sets(tmp_path / "broken.parquet", [replace(one, image="broken.png")])
    assert "broken.png" in extract(tmp_path / "broken.png", out, "--params", tmp_path / "broken.parquet")
    assert not list(out.glob("*.png"))


def test_pictures_are_matched_by_path_then_by_name(head: HeadModel, photos: Path, tmp_path: Path) -> None:
    places = [tmp_path / name / "a.png" for name in ("x", "y")]
    for place in places:
        place.parent.mkdir()
        Image.new("RGB", (PIXELS, PIXELS)).save(place)
    one = posed(head, 0)
    sets = [replace(one, identity=place.parent.name, image=str(place)) for place in places]
    write_parameter_sets(tmp_path / "both.parquet", sets)
    people = find_people([tmp_path / "x", tmp_path / "y"], tmp_path / "both.parquet", head)
    assert [person.identity for person in people.persons] == ["x", "y"]
    (tmp_path / "z").mkdir()
    moved = tmp_path / "z" / "a.png"
    places[0].rename(moved)
    with pytest.raises(FfngenError, match="2 parameter sets"):
        find_people([moved], tmp_path / "both.parquet", head)
    write_parameter_sets(tmp_path / "one.parquet", sets[:1])
    assert find_people([moved], tmp_path / "one.parquet", head).persons[0].photos == (moved,)
    many = find_people([photos / "pictures"], photos / "mia.parquet", head, most_views=2)
    assert [path.name for path in many.persons[0].photos] == ["mia-35.png", "mia35.png"]
