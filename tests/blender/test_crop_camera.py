"""A face that DECA saw in a square crop, rendered over that crop, and verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from flame_oracle import flame_vertices
from PIL import Image
from scipy.spatial.transform import Rotation

from ffngen.cli import main
from ffngen.dataset.read import FlowDataset
from ffngen.dataset.verify import verify_dataset
from ffngen.head.load import load_head

pytestmark = pytest.mark.bpy

Array = np.ndarray[Any, Any]

CROP = 224
CAM = (5.8, 0.021, 0.012)
RADIUS = 6.0
#: Of what is behind the head, and of the face in the crop; neither is a colour of a rendered head.
BEHIND, FACE = (20, 190, 60), (230, 40, 200)
#: Where marks lie in the crop (x, y), pixels, from the centre of the first one: corners and edges, none like another.
MARKS = np.array([[12, 9], [209, 17], [16, 205], [213, 211], [168, 8], [10, 122], [214, 96]])
COLOURS = [
    (250, 30, 30),
    (120, 20, 200),
    (40, 60, 250),
    (250, 240, 40),
    (20, 230, 230),
    (240, 130, 20),
    (250, 250, 250),
]


def orthographic(points: Array, cam: tuple[float, float, float]) -> Array:
    """DECA's projection, written out: s (x + t), y turned round, -1 and 1 at the outer edges of the crop's pixels."""
    scale, tx, ty = cam
    x, y = scale * (points[:, 0] + tx), -scale * (points[:, 1] + ty)
    return np.stack([(x + 1) / 2 * CROP - 0.5, (y + 1) / 2 * CROP - 0.5], axis=-1)


def resized(places: Array, side: int) -> Array:
    """Places in the crop as places in a picture of it that is ``side`` pixels wide."""
    result: Array = (places + 0.5) * side / CROP - 0.5
    return result


@pytest.fixture(scope="module")
def flame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The open head in FLAME's schema, its file named as FLAME 2020's."""
    model = load_head("open")
    count = model.vertex_count
    basis = np.zeros((count, 3, 400), np.float32)
    basis[:, :, :100] = model.shape_basis[:, :, :100]
    basis[:, :, 300:350] = model.expression_basis[:, :, :50]
    file = tmp_path_factory.mktemp("flame2020") / "generic_model.npz"
    assert model.uv is not None
    np.savez(
        file,
        v_template=model.template,
        f=model.faces,
        shapedirs=basis,
        posedirs=np.zeros((count, 3, 36), np.float32),
        J_regressor=model.joint_regressor.toarray(),
        weights=model.skin_weights,
        kintree_table=np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], dtype=np.uint32),
        vt=model.uv.coordinates,
        ft=model.uv.faces,
        region_names=np.array(list(model.regions)),
        region_faces=np.array([np.isin(np.arange(len(model.faces)), faces) for faces in model.regions.values()]),
    )
    return file


def codes(cam: tuple[float, float, float], turn: tuple[float, float, float]) -> dict[str, Array]:
    """What ``DECA.encode`` returns for one crop: a head turned by ``turn``, radians, its mouth open."""
    expression = np.zeros((1, 50))
    expression[0, load_head("open").expression_names.index("jawOpen")] = 0.6
    content = {
        "shape": np.random.default_rng(1).normal(size=(1, 100)),
        "exp": expression,
        "pose": np.array([[*turn, 0.05, 0, 0]]),
        "cam": np.array([cam]),
    }
    return {name: code.astype(np.float32) for name, code in content.items()}


def seen(flame: Path, content: dict[str, Array]) -> Array:
    """The head's vertices in the crop, pixels: smplx's skinning and DECA's projection."""
    rest = Rotation.identity()
    head, jaw = (Rotation.from_rotvec(half) for half in content["pose"][0].reshape(2, 3))
    vertices = flame_vertices(flame, content["shape"][0], content["exp"][0], [head, rest, jaw, rest, rest])
    return orthographic(vertices, tuple(content["cam"][0].astype(np.float64)))


def silhouette(flame: Path, places: Array, side: int) -> Array:
    """(side, side) bool: the pixels whose centres lie in one of the mesh's triangles."""
    faces = np.load(flame)["f"]
    picture = np.zeros((side, side), np.uint8)
    fixed = np.round(resized(places, side) * 16).astype(np.int32)
    for triangle in fixed[faces]:
        cv2.fillConvexPoly(picture, triangle, 1, shift=4)
    return picture == 1


def grown(mask: Array, pixels: int) -> Array:
    size = 2 * pixels + 1
    result: Array = cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)) == 1
    return result


def paint(path: Path, face: Array, side: int) -> None:
    """The crop: marks, and the face's silhouette in one colour, before a green wall."""
    picture = np.full((side, side, 3), BEHIND, np.uint8)
    picture[face] = FACE
    y, x = np.mgrid[:side, :side]
    for (u, v), colour in zip(resized(MARKS.astype(float), side), COLOURS, strict=True):
        disc = np.hypot(x - u, y - v) <= RADIUS * side / CROP
        assert not (disc & face).any()
        picture[disc] = colour
    Image.fromarray(picture).save(path)


def is_like(image: Array, colour: tuple[int, int, int]) -> Array:
    result: Array = np.abs(image.astype(int) - colour).max(axis=-1) <= 25
    return result


def render(flame: Path, codes_path: Path, pictures: Path, side: int, out: Path, *more: object) -> FlowDataset:
    arguments = ("--params", codes_path, "--head", flame.parent, "--camera", "tracked", "--source-images", pictures)
    options = ("--resolution", side, "--image-format", "png", "--props", "none", "--samples", 1, "--out", out, "--json")
    result = CliRunner().invoke(main, ["render", *map(str, (*arguments, *options, *more))])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["rendered"] == 1
    verified = verify_dataset(out)
    assert verified.passed, [str(failure) for failure in verified.failures]
    # A lens of 28,000 pixels shows it where the renderer's camera is turned by 1e-7.
    assert max(truth.facial_flow.p99 for truth in verified.truths) < 3e-4
    return FlowDataset(out)


def check_marks(image: Array, side: int) -> None:
    """Each mark is where it is in the crop, to half a pixel, and whole."""
    for mark, colour in zip(MARKS, COLOURS, strict=True):
        ys, xs = np.nonzero(is_like(image, colour))
        assert len(xs) > 0.6 * np.pi * (RADIUS * side / CROP) ** 2
        np.testing.assert_allclose([xs.mean(), ys.mean()], resized(mark.astype(float), side), atol=0.5)


def check_head(image: Array, face: Array) -> None:
    """The head hides the face that is painted behind it, and nothing else, to one pixel."""
    assert face.sum() > 0.15 * face.size
    edge = grown(face, 1) & grown(~face, 1)
    assert not (is_like(image, FACE) & ~edge).any()
    wall = is_like(image, BEHIND)
    assert not (wall & face & ~edge).any()
    marks = np.zeros(face.shape, bool)
    y, x = np.indices(face.shape)
    for u, v in resized(MARKS.astype(float), len(face)):
        marks |= np.hypot(x - u, y - v) < (RADIUS + 2) * len(face) / CROP + 1
    assert wall[~(face | edge | marks)].all()


@pytest.mark.parametrize(("picture_side", "side"), [(CROP, CROP), (2 * CROP, 112)])
def test_the_render_lies_over_the_crop(tmp_path: Path, flame: Path, picture_side: int, side: int) -> None:
    """The crop's marks stay at their pixels, and the head covers the face where DECA projects it."""
    content = codes(CAM, (0.1, -0.3, 0.12))
    np.savez(tmp_path / "face.npz", **content)
    places = seen(flame, content)
    (tmp_path / "crops").mkdir()
    paint(tmp_path / "crops" / "face.png", silhouette(flame, places, picture_side), picture_side)
    data = render(flame, tmp_path / "face.npz", tmp_path / "crops", side, tmp_path / "out", "--n-frames", 4)
    # The last frame is the set itself.
    pair = data[len(data) - 1]
    camera = pair.metadata.get_camera(4)
    # Half a pixel of the crop, for the camera stands some 40 metres away and not infinitely far.
    found, _ = camera.project(pair.vertices.facial[-1, : len(places)])
    assert np.abs(found - resized(places, side)).max() <= 0.5 * side / CROP
    # Through a mark's pixel the camera sees the point before the face that DECA projects to it.
    scale, tx, ty = CAM
    x, y = ((2 * (MARKS + 0.5) / CROP - 1) / scale * [1, -1] - [tx, ty]).T
    found, _ = camera.project(np.stack([x, y, np.full(len(x), 0.05)], axis=-1))
    np.testing.assert_allclose(found, resized(MARKS.astype(float), side), atol=0.5 * side / CROP)
    check_marks(pair.image2, side)
    check_head(pair.image2, silhouette(flame, places, side))


def test_a_video_of_moving_crops(tmp_path: Path, flame: Path) -> None:
    """Each frame's head lies where it is in the frame's own crop, before the first frame's crop."""
    cams = {3: CAM, 4: (6.2, 0.005, -0.004), 5: (5.5, 0.04, 0.02)}
    turns = {3: (0.05, -0.2, 0.1), 4: (0.04, -0.15, 0.09), 5: (0.03, -0.1, 0.08)}
    contents = {number: codes(cams[number], turns[number]) for number in cams}
    faces = {number: silhouette(flame, seen(flame, content), CROP) for number, content in contents.items()}
    (tmp_path / "crops").mkdir()
    for number, content in contents.items():
        name = f"clip_frame{number:04d}"
        folder = tmp_path / "codes" / name
        folder.mkdir(parents=True)
        np.savez(folder / f"{name}.npz", **content)
        (folder / f"{name}_inputs.jpg").write_bytes(b"")
        paint(tmp_path / "crops" / f"{name}_inputs.png", faces[number], CROP)
    data = render(flame, tmp_path / "codes", tmp_path / "crops", CROP, tmp_path / "out", "--motion", "tracked")
    assert len(data) == 2
    check_marks(data[0].image1, CROP)
    check_head(data[0].image1, faces[3])
    for pair, number in zip(data, (4, 5), strict=True):
        places = seen(flame, contents[number])
        found, _ = pair.metadata.get_camera(number - 2).project(pair.vertices.facial[number - 3, : len(places)])
        assert np.abs(found - places).max() <= 0.5
        check_marks(pair.image2, CROP)
        # What is not the head is the first crop, and its face is seen where the head has left it.
        crop = is_like(pair.image2, BEHIND) | is_like(pair.image2, FACE)
        edge = grown(faces[number], 1) & grown(~faces[number], 1)
        assert not (crop & faces[number] & ~edge).any()
        assert is_like(pair.image2, FACE)[faces[3] & ~grown(~faces[3], 1) & ~grown(faces[number], 1)].all()
