"""Flow at tracked vertices: .npz files, a tracker's frames, regions and what rays see."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from made_dataset import camera, grid_faces, mesh, panels, picture
from PIL import Image
from real_sets import HEIGHT, WIDTH, flow, moved, pictures, write_masks
from scipy.spatial.transform import Rotation
from tracker_files import Pytorch3dCamera, metrical_frame, random_head

from ffngen.cli import main
from ffngen.cli.evalreal import _content
from ffngen.errors import FfngenError, InputFileError
from ffngen.flow.files import write_flow
from ffngen.head.load import load_head
from ffngen.realworld.subjects import subject_of
from ffngen.realworld.tracked_vertices import open_tracked
from ffngen.realworld.vertex_file import read_vertex_file
from ffngen.realworld.vertex_regions import from_masks, from_model

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["evalreal", "vertices", *map(str, arguments)])
    assert done.exit_code == code, done.output
    if code:
        assert len(done.output.strip().splitlines()) == 1, done.output
    return done.output


def write_video(folder: Path, name: str, seed: int, count: int = 60, **changes: Any) -> Path:
    """Three frames: the second is moved by the sequence's map, the third stays. Vertices lie within the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    first, second = pictures(seed)
    for number, image in enumerate((first, second, second)):
        Image.fromarray(image).save(folder / f"{name}_{number}.png")
    before = np.random.default_rng(seed).uniform([20, 20], [WIDTH - 20, HEIGHT - 20], (count, 2))
    after = moved(before, seed)
    arrays = {
        "images": np.array([f"{name}_{number}.png" for number in range(3)]),
        "vertices_2d": np.stack([before, after, after]),
        **changes,
    }
    np.savez(folder / f"{name}.npz", **{key: value for key, value in arrays.items() if value is not None})
    return folder / f"{name}.npz"


def test_videos_of_npz(tmp_path: Path) -> None:
    root = tmp_path / "mead"
    write_video(root / "M003/front/angry/level_1", "001", 1)
    write_video(root / "W009/front/happy/level_1", "002", 2, subject=np.array("somebody"))
    masks = write_masks(tmp_path / "FLAME_masks.pkl", 60)
    flows = tmp_path / "flows"
    for name, seed in (("M003/front/angry/level_1/001", 1), ("W009/front/happy/level_1/002", 2)):
        (flows / name).mkdir(parents=True)
        write_flow(flows / name / "00001.flo", flow(seed))
        write_flow(flows / name / "00002.flo", 0 * flow(seed))
    out = tmp_path / "report"
    text = run(
        root, "--dataset", "mead", "--masks", tmp_path / "FLAME_masks.pkl", "--flows", f"true={flows}", "--out", out
    )
    assert "the paper's Table 3, MEAD (V.)" in text and "the paper takes 3,402 frames" in text
    report = json.loads((out / "report.json").read_text())
    assert report["kind"] == "vertices" and report["pairs"] == 4 and report["subjects"] == 2
    result = report["results"]["true"]["facial"]
    assert result["epe"] < 1e-4
    # Lips, eyes and cheeks are the face without nose and forehead; where masks overlap, the first of them has it.
    counted = set(masks["face"]) - (set(masks["nose"]) | set(masks["forehead"])) | (set(masks["eye_region"]))
    assert report["vertices"] == len(counted) and report["face_vertices"] == 30
    assert f"{len(counted)} vertices of lips, cheeks and eyes of 30 on the face" in text
    assert result["points"] == 4 * len(counted)
    assert set(result["regions"]) == {"lips", "eyes", "cheeks"}
    # Over a longer way only the first and the last frame are a pair.
    report = json.loads(run(root, "--dataset", "ck+", "--json"))
    assert report["pairs"] == 2 and report["published"]["row"] == "CK+ (V.)"
    assert report["results"]["zero"]["facial"]["points"] == 2 * 60
    assert any("all vertices are counted" in note for note in report["notes"])
    assert json.loads(run(root, "--dataset", "mead", "--gap", "2", "--json"))["pairs"] == 2
    assert {pair.subject for pair in open_tracked(root).pairs} == {"M003", "somebody"}


def test_vertices_in_space_and_what_rays_see(tmp_path: Path) -> None:
    """Two panels of a made dataset: the small one hides vertices of the large one, in closed form."""
    shapes = [panels(1, 1), panels(2, 2)]
    for number, shape in enumerate(shapes):
        Image.fromarray(picture(shape)).save(tmp_path / f"{number}.png")
    cam = camera()
    arrays = {
        "images": np.array(["0.png", "1.png"]),
        "vertices": np.stack([mesh(shape) for shape in shapes]),
        "K": cam.K + np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]),  # counted from the corner
        "T_cam_world": cam.T_cam_world,
        "faces": grid_faces(),
    }
    np.savez(tmp_path / "video.npz", **arrays)
    found = open_tracked(tmp_path / "video.npz", origin=0.5, visible=True).pairs[0].load()
    R, t = cam.T_world_cam[:3, :3], cam.T_world_cam[:3, 3]
    pixels = []
    for shape in shapes:
        x, y, z = ((mesh(shape).astype(np.float64) - t) @ R).T
        pixels.append(np.stack([cam.K[0, 0] * x / z + cam.K[0, 2], cam.K[1, 1] * y / z + cam.K[1, 2]], axis=-1))
    np.testing.assert_allclose(found.start, pixels[0], atol=1e-9)
    np.testing.assert_allclose(found.motion["facial"], pixels[1] - pixels[0], atol=1e-9)
    # Of the large panel's 49 vertices those are hidden whose ray meets the small one.
    c, e1, e2 = shapes[0][1]
    points = mesh(shapes[0])[:49].astype(np.float64)
    system = np.stack([np.broadcast_to(e1, points.shape), np.broadcast_to(e2, points.shape), t - points], axis=-1)
    a, b, _ = np.linalg.solve(system, np.broadcast_to(t - c, points.shape)[..., None])[..., 0].T
    outside = np.maximum(np.abs(a), np.abs(b))
    counted = found.counted["facial"]
    assert (outside < 1).sum() >= 4
    assert not counted[:49][outside < 1].any()
    inner = np.zeros((7, 7), dtype=bool)
    inner[1:-1, 1:-1] = True  # at the panel's own outline pixels show what is behind, too
    assert counted[:49][inner.ravel() & (outside > 1.2)].all()
    assert counted[49:][inner.ravel()].all()
    # Without --visible all count; without triangles it is refused.
    assert open_tracked(tmp_path / "video.npz", origin=0.5).pairs[0].load().counted["facial"].all()
    del arrays["faces"]
    np.savez(tmp_path / "video.npz", **arrays)
    read_vertex_file.cache_clear()
    assert "needs vertices in space and their triangles" in run(
        tmp_path / "video.npz", "--dataset", "mead", "--visible", code=2
    )


def write_track(root: Path, cameras: list[Pytorch3dCamera]) -> list[dict[str, Any]]:
    """An actor of metrical-tracker: frames 1, 2 and 4, of which the last has no picture."""
    torch = pytest.importorskip("torch")
    frames = []
    for place, (number, cam) in enumerate(zip((1, 2, 4), cameras, strict=True)):
        jaw = Rotation.from_rotvec([0.05 * number, 0, 0.01])
        frame = metrical_frame(number, cam, jaw, (Rotation.identity(), Rotation.from_rotvec([0, 0.02 * number, 0])))
        frame["flame"]["eyelids"] = np.float32([[0.1 * number, 0.0]])
        frames.append(frame)
        for folder in ("checkpoint", "input"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        torch.save(frame, root / "checkpoint" / f"{number:05d}.frame")
        if place < 2:
            Image.fromarray(np.full((200, 200, 3), 90 + place, np.uint8)).save(root / "input" / f"{number:05d}.png")
    return frames


@pytest.fixture
def tracked(tmp_path: Path) -> tuple[Path, Path, list[dict[str, Any]], list[Pytorch3dCamera]]:
    """A folder of tracks, a FLAME 2020 of 400 vertices with eyelids, the frames and their cameras."""
    cameras = [
        Pytorch3dCamera(
            Rotation.from_euler("yx", [np.pi + 0.1 + 0.02 * i, 0.05 - 0.01 * i]),
            np.array([0.01 * i, 0.0, 1.0]), 6.0, np.array([0.02, -0.03]), 200, 200,
        )
        for i in range(3)
    ]  # fmt: skip
    frames = write_track(tmp_path / "tracks" / "W021_happy", cameras)
    head = tmp_path / "FLAME2020"
    random_head(head, "flame2020", 400)
    for name, scale in (("l_eyelid", 1.0), ("r_eyelid", -1.0)):
        np.save(head / f"{name}.npy", np.full((400, 3), 0.002 * scale, np.float32))
    return tmp_path / "tracks", head, frames, cameras


def test_a_trackers_frames(tracked: Any, tmp_path: Path) -> None:
    """Vertices by the head's formula, projected as PyTorch3D does; the head alone keeps frame 1's expression."""
    root, head, frames, cameras = tracked
    found = open_tracked(root, head=str(head), family="flame2020")
    assert [(pair.name, pair.subject) for pair in found.pairs] == [("W021_happy/00001", "W021")]
    assert any("its picture, input/00004.png, is not there" in line for line in found.left_out)
    model = load_head(head, family="flame2020")

    def vertices(expression_of: int, pose_of: int) -> np.ndarray:
        flame = [frame["flame"] for frame in frames]
        number = (1, 2)[pose_of]
        pose = np.zeros(15)
        pose[6:9] = [0.05 * number, 0, 0.01]
        pose[12:15] = [0, 0.02 * number, 0]
        shape, expression = flame[0]["shape"][0], flame[expression_of]["exp"]
        lids = 0.1 * (1, 2)[expression_of] * 0.002
        return model.vertices(shape, expression, pose[None])[0].astype(np.float64) + lids

    start, facial, alone = (
        cameras[seen_by].screen(vertices(expression, pose)) - 0.5
        for seen_by, expression, pose in ((0, 0, 0), (1, 1, 1), (1, 0, 1))
    )
    points = found.pairs[0].load()
    np.testing.assert_allclose(points.start, start, atol=2e-3)
    np.testing.assert_allclose(points.motion["facial"], facial - start, atol=3e-3)
    np.testing.assert_allclose(points.motion["head"], alone - start, atol=3e-3)
    np.testing.assert_allclose(points.motion["expression"], facial - alone, atol=3e-3)
    assert np.abs(points.motion["expression"]).max() > 0.3 and np.abs(points.motion["head"]).max() > 1
    assert points.size == (200, 200)

    write_masks(tmp_path / "masks.pkl", 400)
    command = (
        root,
        "--dataset",
        "mead",
        "--head",
        head,
        "--head-family",
        "flame2020",
        "--masks",
        tmp_path / "masks.pkl",
    )
    np.savez(root / "W021_happy" / "other.npz", anything=np.zeros(3))
    text = run(*command)
    assert "1 pairs of 1 subjects" in text  # and a file of the tracker's own is passed over
    assert "of 200 on the face, by masks.pkl (the paper: 1,435 of 1,787)" in text
    zero = json.loads(run(*command, "--json"))["results"]["zero"]
    for flow_name, figures in zero.items():
        counted = from_masks(tmp_path / "masks.pkl", 400).counted
        counted = counted & ((points.start >= -0.5) & (points.start <= 199.5)).all(axis=1)
        lengths = np.linalg.norm(points.motion[flow_name][counted], axis=1)
        assert figures["epe"] == pytest.approx(lengths.mean(), abs=1e-9)
    assert list(zero) == ["facial", "head", "expression"]


def test_faults_of_trackers(tracked: Any, tmp_path: Path) -> None:
    root, head, _, _ = tracked
    assert "give --head FLAME2020/" in run(root, "--dataset", "mead", code=2)
    command = (root, "--dataset", "mead", "--head", head, "--head-family")
    assert "these parameters are flame2020's" in run(*command, "flame2023", code=2)
    Image.fromarray(np.zeros((100, 200, 3), np.uint8)).save(root / "W021_happy/input/00002.png")
    assert "200 x 100 pixels, its camera has 200 x 200" in run(*command, "flame2020", code=2)
    (root / "W021_happy/input/00002.png").unlink()
    assert "holds no pair of tracked frames" in run(*command, "flame2020", code=2)
    assert "no such file or folder" in run(tmp_path / "none", "--dataset", "mead", code=2)
    (tmp_path / "mica" / "duda").mkdir(parents=True)
    np.save(tmp_path / "mica" / "duda" / "identity.npy", np.zeros(300, np.float32))
    assert "holds no pair of tracked frames" in run(tmp_path / "mica", "--dataset", "mead", code=2)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"images": None}, "holds no tracked vertices"),
        ({"vertices_2d": None}, "holds no tracked vertices"),
        ({"images": np.array(["a_0.png"])}, "one frame has no motion"),
        ({"images": np.array(["a_0.png", "a_1.png", "no.png"])}, "the image of its frame 2 is not there: no.png"),
        ({"images": np.array([1, 2, 3])}, "'images' holds int64, not text"),
        ({"vertices_2d": np.zeros((2, 9, 2))}, "'vertices_2d'"),
        ({"vertices_2d": np.full((3, 9, 2), np.nan)}, "not finite"),
        ({"vertices_2d": None, "vertices": np.zeros((3, 9, 3))}, "has vertices, and no K and T_cam_world"),
        (
            {"vertices_2d": None, "vertices": np.zeros((3, 9, 3)), "K": np.eye(3), "T_cam_world": np.eye(4)},
            "vertices of frame 0 lie behind the camera",
        ),
        (
            {"vertices_2d": None, "vertices": np.zeros((3, 9, 3)), "K": np.eye(3), "T_cam_world": np.zeros((4, 4))},
            "a T_cam_world is singular",
        ),
        ({"region_names": np.array(["lips"]), "region_vertices": np.zeros((1, 5), bool)}, "'region_vertices'"),
        ({"faces": np.array([[0, 1, 60]])}, "'faces'"),
    ],
)
def test_faults_of_npz(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    write_video(tmp_path / "set", "a", 1, **changes)
    assert says in run(tmp_path / "set", "--dataset", "mead", code=2)


def test_hostile_files(tmp_path: Path) -> None:
    write_video(tmp_path / "set", "a", 1)
    bad = tmp_path / "masks.pkl"

    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.write_text, (tmp_path / "ran", "x"))

    bad.write_bytes(pickle.dumps({"face": Bomb()}))
    assert "nothing in it was run" in run(tmp_path / "set", "--dataset", "mead", "--masks", bad, code=2)
    assert not (tmp_path / "ran").exists()
    bad.write_bytes(pickle.dumps({"face": np.arange(5)}))
    assert "has no mask 'lips'" in run(tmp_path / "set", "--dataset", "mead", "--masks", bad, code=2)
    write_masks(bad, 400)
    with pytest.raises(InputFileError, match="names vertex 199, and the head has 60"):
        from_masks(bad, 60)
    np.savez(tmp_path / "set" / "b.npz", images=np.array([object()], dtype=object), vertices_2d=np.zeros((3, 4, 2)))
    with pytest.raises(FfngenError):
        open_tracked(tmp_path / "set")


def test_regions_of_an_npz_and_of_a_model(tmp_path: Path) -> None:
    members = np.zeros((4, 60), dtype=bool)
    for row, part in enumerate((slice(0, 10), slice(8, 20), slice(20, 25), slice(25, 60))):
        members[row, part] = True
    names = np.array(["lips", "eyes", "cheeks", "nose"])
    path = write_video(tmp_path, "a", 1, region_names=names, region_vertices=members)
    points = open_tracked(path).pairs[0].load()
    np.testing.assert_array_equal(np.flatnonzero(points.counted["facial"]), np.arange(25))
    np.testing.assert_array_equal(np.flatnonzero(points.regions["eyes"]), np.arange(10, 20))
    write_video(tmp_path, "b", 2)
    assert "b.npz: states no regions, and a.npz does" in run(tmp_path, "--dataset", "mead", code=2)
    model = load_head("open")
    regions = from_model(model, model.vertex_count + 7)
    assert regions is not None
    total = sum(regions.regions.values())
    assert total.max() == 1 and not total[-7:].any() and regions.face == total.sum()
    for name in ("lips", "eyes", "cheeks"):
        assert set(np.flatnonzero(regions.regions[name])) <= set(np.unique(model.faces[model.regions[name]])) | set(
            np.flatnonzero(total)
        )
    assert 1000 < regions.counted.sum() < regions.face
    random_head(tmp_path / "head", "flame2020", 400)
    assert from_model(load_head(tmp_path / "head", family="flame2020"), 400) is None
    with pytest.raises(FfngenError, match="has 400 vertices, and 60 were tracked"):
        open_tracked(write_video(tmp_path / "other", "a", 1), head=str(tmp_path / "head"), family="flame2020")


@pytest.mark.skipif(not (SHARED / "flame2023_open_lite").is_dir(), reason="FLAME 2023 Open is not there")
def test_regions_of_flame() -> None:
    model = load_head(SHARED / "flame2023_open_lite")
    regions = from_model(model, model.vertex_count)
    assert regions is not None and regions.face is not None
    # The order of the paper's 1,435 of 1,787; by other outlines.
    assert 1000 < regions.counted.sum() < 1700 < regions.face < 2300


def test_subjects() -> None:
    names = ("MEAD/M003/video/front", "W009_front_angry", "x/S005/001", "clips/a", "take", "MW0031/b")
    assert [subject_of(name) for name in names] == ["M003", "W009", "S005", "clips", "take", "MW0031"]


def test_a_journal_is_of_its_masks_and_head_as_they_are(tmp_path: Path) -> None:
    """A file or a folder that changed under its name is another measurement."""
    head, masks = tmp_path / "FLAME", tmp_path / "masks.pkl"
    head.mkdir()
    contents = []
    for model, regions in ((b"a", b"a"), (b"b", b"a"), (b"b", b"b"), (b"a", b"a")):
        (head / "model.pkl").write_bytes(model)
        masks.write_bytes(regions)
        with click.Context(click.Command("vertices")) as context:
            context.params = {"head": str(head), "masks": masks}
            contents.append(_content(SimpleNamespace(pairs=[]), ()))
    assert contents[0] == contents[3]
    assert contents[0] != contents[1] != contents[2]
