"""A dataset whose truth is known in closed form, made without Blender.

Two parallelograms, a large one ("face") and a smaller one before it ("nose"), move and deform affinely. Where a
pixel's ray meets them, and where that point goes, follows from one linear system per pixel, without triangles.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from ffngen.atomic import sha256_file, write_atomic
from ffngen.dataset.arrays import SequenceVertices, encode_mask, encode_vertices
from ffngen.dataset.context import digest_of
from ffngen.dataset.dataset_file import encode_record
from ffngen.dataset.folder_store import FolderStore
from ffngen.dataset.layout import DATASET_FILE, ImageFormat, Output, Record, SequenceKey, SequenceLayout
from ffngen.dataset.manifest import SequenceRow, build_manifest
from ffngen.dataset.metadata import (
    FileEntry,
    HeadModel,
    Parameters,
    Pose,
    SequenceMetadata,
    Versions,
    encode_metadata,
    read_metadata,
)
from ffngen.dataset.report import Fault, VerifyReport
from ffngen.flow.exr import write_depth_exr
from ffngen.flow.files import FlowFormat, write_flow
from ffngen.geometry.camera import Camera
from ffngen.images import encode_png

WIDTH, HEIGHT, BACKGROUND = 160, 120, 2.5
N = 3
JOB = {"job": {"seed": 0}}
JOB_DIGEST = digest_of(JOB)


def rotation(x: float, y: float, z: float) -> np.ndarray:
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    return (
        np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    )


def camera() -> Camera:
    """Unequal focal lengths, an off-centre principal point, and no axis along the world's."""
    T = np.eye(4)
    T[:3, :3] = rotation(0.2, -0.3, 0.15) @ np.diag([1.0, -1.0, -1.0])
    T[:3, 3] = [-0.35, -0.28, 1.0]
    return Camera(np.array([[210.0, 0, 62.3], [0, 185.0, 71.8], [0, 0, 1]]), T, WIDTH, HEIGHT)


def camera_of(t: int, *, moves: bool) -> Camera:
    """The camera of frame t; one that moves turns, rolls, shifts and comes nearer."""
    still = camera()
    if not moves:
        return still
    T = np.eye(4)
    T[:3, :3] = rotation(0.006 * t, -0.009 * t, 0.011 * t)
    T[:3, 3] = [0.004 * t, -0.003 * t, 0.005 * t]
    return Camera(still.K, still.T_world_cam @ T, WIDTH, HEIGHT)


def panels(pose: float, expression: float) -> list[np.ndarray]:
    """Each panel as (3, 3): its centre and its two half-sides; the pose turns both, the expression stretches one."""
    R = rotation(0.05 * pose, 0.08 * pose, -0.06 * pose)
    face = np.array([[0.0, 0, 0], [0.2, 0.02, 0.01], [0.0, 0.22, -0.03]])
    nose = np.array([[0.03, 0, 0.09], [0.07, 0, 0.02], [0.01, 0.08, 0]])
    nose = nose + expression * np.array([[0.004, -0.006, 0.002], [0.006, 0.002, 0], [-0.002, 0.005, 0.001]])
    return [np.float32(face @ R.T).astype(np.float64), np.float32(nose @ R.T).astype(np.float64)]


def wall() -> np.ndarray:
    """(3, 3): a point of the plane behind all, and two steps on it."""
    T = camera().T_world_cam
    return np.stack([T[:3, 3] + BACKGROUND * T[:3, 2], T[:3, 0], T[:3, 1]])


GRID = 7


def mesh(shape: list[np.ndarray]) -> np.ndarray:
    """(V, 3) float32: a grid of points on each panel."""
    a, b = np.meshgrid(np.linspace(-1, 1, GRID), np.linspace(-1, 1, GRID))
    parts = [c + a.reshape(-1, 1) * e1 + b.reshape(-1, 1) * e2 for c, e1, e2 in shape]
    return np.concatenate(parts).astype(np.float32)


def grid_faces() -> np.ndarray:
    corner = (np.arange(GRID - 1)[:, None] * GRID + np.arange(GRID - 1)).ravel()
    lower = np.stack([corner, corner + 1, corner + GRID], axis=1)
    upper = np.stack([corner + 1, corner + GRID + 1, corner + GRID], axis=1)
    one = np.concatenate([lower, upper])
    return np.concatenate([one, one + GRID * GRID]).astype(np.int32)


Place = tuple[np.ndarray, np.ndarray, np.ndarray]


def cast_panels(
    now: list[np.ndarray], shift: float = 0.0, cam: Camera | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Place]]:
    """What each pixel's ray meets: depth (H, W), mask (H, W), pixels (H, W, 2), and for each surface where on it.

    The last surface is the wall behind all: unit steps to the right and down from where the view's axis meets it.

    :param shift: moves the sampling place within the pixel.
    """
    still, cam = cam is None, cam or camera()
    R, t = cam.T_world_cam[:3, :3], cam.T_world_cam[:3, 3]
    u, v = np.meshgrid(np.arange(WIDTH) + shift, np.arange(HEIGHT) + shift)
    fx, fy, cx, cy = cam.K[0, 0], cam.K[1, 1], cam.K[0, 2], cam.K[1, 2]
    rays = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones_like(u)], axis=-1) @ R.T
    depth = np.full((HEIGHT, WIDTH), np.inf)
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    places = []
    for c, e1, e2 in [*now, wall()]:
        # c + a e1 + b e2 = t + z ray
        system = np.stack([np.broadcast_to(e1, rays.shape), np.broadcast_to(e2, rays.shape), -rays], axis=-1)
        a, b, z = np.moveaxis(np.linalg.solve(system, np.broadcast_to(t - c, rays.shape)[..., None])[..., 0], -1, 0)
        is_wall = len(places) == len(now)
        within = ~mask if is_wall else (np.abs(a) <= 1) & (np.abs(b) <= 1)
        seen = within & (z > 0) & (z < depth)
        depth[seen] = z[seen]
        mask[seen] = not is_wall
        places.append((a, b, seen))
    if still:
        depth[~mask] = BACKGROUND
    return depth, mask, np.stack([u, v], axis=-1), places


def closed_form(
    now: list[np.ndarray],
    later: list[np.ndarray],
    shift: float = 0.0,
    cam_now: Camera | None = None,
    later_cam: Camera | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flow (H, W, 2), depth (H, W) and mask (H, W)."""
    cam = later_cam or camera()
    R, t = cam.T_world_cam[:3, :3], cam.T_world_cam[:3, 3]
    fx, fy, cx, cy = cam.K[0, 0], cam.K[1, 1], cam.K[0, 2], cam.K[1, 2]
    depth, mask, pixels, places = cast_panels(now, shift, cam_now)
    flow = np.zeros((HEIGHT, WIDTH, 2))
    surfaces = [*later, wall()] if later_cam is not None else later
    for (a, b, seen), (c2, f1, f2) in zip(places, surfaces, strict=later_cam is not None):
        x, y, w = np.moveaxis((c2 + a[..., None] * f1 + b[..., None] * f2 - t) @ R, -1, 0)
        moved = np.stack([fx * x / w + cx, fy * y / w + cy], axis=-1) - pixels
        flow[seen] = moved[seen]
    return flow.astype(np.float32), depth.astype(np.float32), mask.astype(np.uint8)


def picture(shape: list[np.ndarray], cam: Camera | None = None) -> np.ndarray:
    """(H, W, 3) uint8: a pattern that sticks to each panel, before one that stands still."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    rgb = np.stack([np.sin(x / (3 + i)) * np.sin(y / (5 - i)) for i in range(3)], axis=-1)
    _, _, _, places = cast_panels(shape, cam=cam)
    for a, b, seen in places[:-1]:
        pattern = np.stack([np.sin(7 * a + i) * np.cos(9 * b - 2 * i) for i in range(3)], axis=-1)
        rgb[seen] = pattern[seen]
    return np.round(127.5 + 100 * rgb).astype(np.uint8)


@cache
def _picture(pose: int, expression: int, moves: bool = False) -> bytes:
    return encode_png(picture(panels(pose, expression), camera_of(pose, moves=True) if moves else None))


@cache
def _truth(
    pose: int, expression: int, next_pose: int, next_expression: int, moves: bool = False
) -> tuple[np.ndarray, ...]:
    cameras = (camera_of(pose, moves=True), camera_of(next_pose, moves=True)) if moves else (None, None)
    return closed_form(panels(pose, expression), panels(next_pose, next_expression), 0.0, *cameras)


def write_sequence(
    root: Path,
    key: SequenceKey,
    *,
    identity: str,
    neutral: bool = False,
    flow_format: FlowFormat = FlowFormat.FLO,
    way: int = 1,
    moves: bool = False,
) -> None:
    """A complete sequence of 3 frames, or of 4 with the neutral one.

    :param way: -1 turns and stretches the other way.
    :param moves: the camera moves, too.
    """
    layout = SequenceLayout(key, N, neutral, ImageFormat.PNG, flow_format)
    for path in layout.files():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
    write_atomic(root / layout.record(Record.CONTACT_SHEET), _picture(0, 0))
    for t in layout.facial_frames:
        now, later = way * t, way * (t + 1)
        flow, depth, mask = _truth(now, now, later, later, moves)
        write_atomic(root / layout.file(Output.MASK, t), encode_mask(mask))
        write_depth_exr(root / layout.file(Output.DEPTH, t), depth)
        write_atomic(root / layout.file(Output.FACIAL_IMAGE, t), _picture(now, now, moves))
        if t in layout.pair_frames:
            write_flow(root / layout.file(Output.FACIAL_FLOW, t), flow)
            write_flow(root / layout.file(Output.HEAD_FLOW, t), _truth(now, now, later, now, moves)[0])
            write_atomic(root / layout.file(Output.HEAD_IMAGE, t + 1), _picture(later, now, moves))
    vertices = SequenceVertices(
        facial=np.stack([mesh(panels(way * t, way * t)) for t in layout.facial_frames]),
        head=np.stack([mesh(panels(way * (t + 1), way * t)) for t in layout.pair_frames]),
        faces=grid_faces(),
        frames=np.array(layout.facial_frames, dtype=np.int32),
    )
    write_atomic(root / layout.record(Record.VERTICES), encode_vertices(vertices))
    metadata = SequenceMetadata(
        sequence=key.sequence,
        split=key.split,
        emotion=key.emotion,
        is_spread=key.is_spread,
        identity=identity,
        n_frames=N,
        include_neutral=neutral,
        motion_scale=1 / N,
        job_digest=JOB_DIGEST,
        seeds={"job": 0},
        parameters=Parameters(betas=(0.0,), expression=(1.0,), pose=(0.0,) * 15, family="open", source="made"),
        model=HeadModel(family="open", version="1", digest="1" * 64),
        camera=camera().to_json(),
        camera_poses=_poses(layout) if moves else None,
        background_depth=BACKGROUND,
        flow_format=flow_format,
        image_format=ImageFormat.PNG,
        scene={},
        versions=Versions(ffngen="0", blender="0"),
        files={},
    )
    write_atomic(root / layout.record(Record.METADATA), encode_metadata(metadata))
    sign(root, key)


def _poses(layout: SequenceLayout) -> tuple[Pose, ...]:
    poses = [camera_of(t, moves=True).T_world_cam.tolist() for t in layout.facial_frames]
    return tuple(tuple(tuple(row) for row in pose) for pose in poses)  # type: ignore[misc]


def faults(report: VerifyReport) -> set[Fault]:
    """What kinds of failures a report holds, each of which is one line."""
    for failure in report.failures:
        assert "\n" not in str(failure)
    return {failure.fault for failure in report.failures}


def metadata_path(root: Path, key: SequenceKey) -> Path:
    return root / "metadata" / key.folder / "metadata.json"


def sign(root: Path, key: SequenceKey) -> None:
    """List the files as they are now, as a writer that made the same mistake would have."""
    metadata = read_metadata(metadata_path(root, key))
    files = {
        str(path): FileEntry(bytes=(root / path).stat().st_size, sha256=sha256_file(root / path))
        for path in metadata.layout.files()
    }
    write_atomic(metadata_path(root, key), encode_metadata(metadata.model_copy(update={"files": files})))


def make_dataset(
    root: Path, counts: dict[str, int], flow_format: FlowFormat = FlowFormat.FLO, *, is_spread: bool = False
) -> Path:
    """A dataset of so many sequences in each split, of two pairs each."""
    number = 0
    for split, count in counts.items():
        for _ in range(count):
            number += 1
            key = SequenceKey(split, ("happy", "sad")[number % 2], f"made-{number:06d}_e0_n3", is_spread)
            write_sequence(root, key, identity=f"made-{number:06d}", flow_format=flow_format)
    finish_dataset(root)
    return root


def finish_dataset(root: Path) -> None:
    """Write what marks a folder as a dataset, and its manifest."""
    (root / DATASET_FILE).write_bytes(encode_record(JOB, identities=1, n_frames=[N]))
    write_manifest(root)


def write_manifest(root: Path) -> list[SequenceRow]:
    """The manifest of a dataset in a folder."""
    store = FolderStore(root)
    with store.run_folder() as scratch:
        return build_manifest(store, scratch)
