"""A render process that stays warm, small made scenes, and the truth computed without Blender or ffngen.

The reference uses trimesh for the first hits and its own float64 projection; it shares no code with
``ffngen.dataset.raycast`` and ``ffngen.geometry.camera``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenEXR
import pytest
from numpy.typing import NDArray

from ffngen.geometry.camera import Camera
from ffngen.render.process import RenderedFrame, RenderProcess
from ffngen.render.raw import Truth, read_colour, read_truth
from ffngen.render.request import MATERIALS, RawPass, SequenceRequest, Settings

Array = NDArray[Any]

SKIN = {
    "subsurface_weight": 0.8, "subsurface_radius": [1.0, 0.4, 0.2], "subsurface_scale": 0.01, "roughness": 0.5,
    "specular": 0.5,
}  # fmt: skip
EYE = {"roughness": 0.1, "specular": 0.5, "coat_weight": 1.0, "coat_roughness": 0.02, "coat_ior": 1.38}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = importlib.util.find_spec("bpy") is None
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.bpy)
            if missing:
                item.add_marker(pytest.mark.skip(reason="bpy is not installed"))


def _ball(radius: float, centre: tuple[float, float, float], rings: int, sectors: int) -> tuple[Array, Array]:
    """A closed, slightly dented ball: (V, 3) vertices and (F, 3) faces, counter-clockwise from outside."""
    theta = np.linspace(0, np.pi, rings + 1)[1:-1, None]
    phi = np.linspace(0, 2 * np.pi, sectors, endpoint=False)
    r = radius * (1 + 0.05 * np.sin(3 * phi) * np.sin(theta) ** 3)
    grid = np.stack([r * np.sin(theta) * np.sin(phi), r * np.cos(theta), r * np.sin(theta) * np.cos(phi)], axis=-1)
    vertices = np.concatenate([grid.reshape(-1, 3), [[0, radius, 0], [0, -radius, 0]]]) + centre
    i, j = np.mgrid[: rings - 2, :sectors]
    a, b = i * sectors + j, i * sectors + (j + 1) % sectors
    top, bottom, s = len(vertices) - 2, len(vertices) - 1, np.arange(sectors)
    last = (rings - 2) * sectors
    faces = np.concatenate([
        np.stack([a, a + sectors, b], -1).reshape(-1, 3),
        np.stack([b, a + sectors, b + sectors], -1).reshape(-1, 3),
        np.stack([np.full(sectors, top), s, (s + 1) % sectors], -1),
        np.stack([np.full(sectors, bottom), last + (s + 1) % sectors, last + s], -1),
    ])  # fmt: skip
    return vertices, faces


@dataclass(frozen=True)
class Mesh:
    """A made head: a ball with a smaller one, the nose, that hides a part of it."""

    vertices: Array
    faces: Array
    nose: Array  # (V,) bool

    def request(self, camera: Camera, facial: Array, head: Array, **changes: Any) -> SequenceRequest:
        """A request for these frames at 2 raw samples."""
        count = len(self.vertices)
        # Each vertex has a texture coordinate of its own.
        uv = np.stack([np.linspace(0, 1, count), np.linspace(1, 0, count)], axis=1).astype(np.float32)
        materials = np.where(self.nose[self.faces[:, 0]], MATERIALS.index("eye"), 0).astype(np.uint8)
        lamp = {"position": [0.6, 0.5, 1.0], "target": [0, 0, 0], "size": 0.4, "power": 8.0, "color": [1, 0.9, 0.8]}
        lamp |= {"height": None}
        request = SequenceRequest(
            camera=camera,
            background_depth=1.6,
            facial=facial.astype(np.float32),
            head=head.astype(np.float32),
            faces=self.faces,
            uv_coordinates=uv,
            uv_faces=self.faces,
            face_materials=materials,
            tints=np.ones((facial.shape[1], 3), dtype=np.float32),
            environment="",
            appearance={
                "lighting": {"hdri": "studio", "rotation": 0.4, "strength": 0.8, "area_lights": [lamp]},
                "skin": SKIN,
                "eye": EYE,
                "relief": 0.001,
            },
            settings=Settings(2, False, tuple(range(len(facial) + len(head)))),
        )
        return replace(request, **changes)


def make_mesh(rings: int = 40, sectors: int = 48) -> Mesh:
    ball, faces = _ball(0.1, (0, 0, 0), rings, sectors)
    nose, nose_faces = _ball(0.03, (0.01, -0.005, 0.09), rings // 2, sectors // 2)
    vertices = np.concatenate([ball, nose]).astype(np.float32)
    return Mesh(
        vertices,
        np.concatenate([faces, nose_faces + len(ball)]).astype(np.int32),
        np.arange(len(vertices)) >= len(ball),
    )


def make_camera(
    width: int = 160, height: int = 160, *, fx: float = 400.0, fy: float | None = None,
    shift: tuple[float, float] = (0.0, 0.0), position: tuple[float, float, float] = (0.0, 0.0, 0.7),
) -> Camera:  # fmt: skip
    """A camera in front of the head that looks back along -z; ``shift`` moves the principal point, pixels."""
    K = np.array([[fx, 0, (width - 1) / 2 + shift[0]], [0, fy or fx, (height - 1) / 2 + shift[1]], [0, 0, 1]])
    T = np.eye(4)
    T[:3, :3] = np.diag([1.0, -1.0, -1.0])
    T[:3, 3] = position
    return Camera(K, T, width, height)


def turn(vertices: Array, axis: tuple[float, float, float], degrees: float) -> Array:
    """Rotated about the origin."""
    rotation, _ = cv2.Rodrigues(np.radians(degrees) * np.array(axis) / np.linalg.norm(axis))
    return np.asarray(vertices @ rotation.T)


def smile(mesh: Mesh, vertices: Array, amount: float) -> Array:
    """An expression: the nose grows and moves sideways, the lower half of the face bulges; metres."""
    bulge = np.where(vertices[:, 1:2] < -0.02, (vertices[:, 1:2] + 0.02) * np.array([[0.3, 0.6, -0.5]]), 0)
    return np.asarray(vertices + amount * (bulge + mesh.nose[:, None] * np.array([[0.02, 0.01, 0.005]])))


@dataclass(frozen=True)
class Expected:
    """What is seen through the centre of each pixel; arrays (H, W, ...) float64."""

    hit: Array
    depth: Array
    facial: Array
    head: Array
    inside: Array  # more than a pixel away from any outline


def expected_truth(request: SequenceRequest, frame: int) -> Expected:
    """First hits by trimesh; everything else from K, T_world_cam and the vertices, in float64."""
    import trimesh

    camera, faces, last = request.camera_of(frame), request.faces, frame + 1 == len(request.facial)
    rotation, position = camera.T_world_cam[:3, :3], camera.T_world_cam[:3, 3]
    later = camera.T_world_cam if last else request.camera_of(frame + 1).T_world_cam
    vertices = request.facial[frame].astype(np.float64)
    v, u = np.mgrid[: camera.height, : camera.width]
    K = camera.K
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(u.shape)], axis=-1) @ rotation.T
    flat = rays.reshape(-1, 3)
    # Metres are small for Embree's tolerances; a scale changes neither triangles nor weights.
    scale = 100.0
    mesh = trimesh.Trimesh(vertices * scale, faces, process=False)
    triangle = mesh.ray.intersects_first(np.tile(position * scale, (len(flat), 1)), flat)
    hit = triangle >= 0
    met = faces[triangle[hit]]
    a, b, c = (vertices[met[:, i]] for i in range(3))
    # Moeller and Trumbore.
    p = np.cross(flat[hit], c - a)
    determinant = np.einsum("px,px->p", p, b - a)
    s = position - a
    weight_b = np.einsum("px,px->p", p, s) / determinant
    q = np.cross(s, b - a)
    weight_c = np.einsum("px,px->p", flat[hit], q) / determinant
    distance = np.einsum("px,px->p", c - a, q) / determinant  # the rays have depth 1
    weights = np.stack([1 - weight_b - weight_c, weight_b, weight_c], axis=1)

    # The plane faces the view that the camera moves round.
    axis, view = request.camera.T_world_cam[:3, 2], request.camera.T_world_cam[:3, 3]
    beyond = (request.background_depth - (position - view) @ axis) / (flat @ axis)

    def flow_to(moved: Array) -> Array:
        points = position + beyond[:, None] * flat
        points[hit] = np.einsum("pc,pcx->px", weights, moved.astype(np.float64)[met])
        camera_points = (points - later[:3, 3]) @ later[:3, :3]
        pixels = camera_points[:, :2] / camera_points[:, 2:] * np.diag(K)[:2] + K[:2, 2]
        return (pixels - np.stack([u.ravel(), v.ravel()], axis=1)).reshape(*u.shape, 2)

    depth = beyond.copy()
    depth[hit] = distance
    depth = depth.reshape(u.shape)
    part = np.full(len(flat), -1)
    labels = trimesh.graph.connected_component_labels(mesh.edges, node_count=len(vertices))
    part[hit] = labels[met[:, 0]]
    part = part.reshape(u.shape).astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    same_part = cv2.dilate(part, kernel) == cv2.erode(part, kernel)
    zero = np.zeros((*u.shape, 2))
    return Expected(
        hit.reshape(u.shape),
        depth,
        zero if last else flow_to(request.facial[frame + 1]),
        zero if last else flow_to(request.head[frame]),
        hit.reshape(u.shape) & same_part,
    )


class Rendered:
    """The answer to one request."""

    def __init__(self, request: SequenceRequest, folder: Path, frames: list[RenderedFrame], background: Array) -> None:
        self.request, self.folder, self.frames, self.background = request, folder, frames, background

    def _frame(self, kind: RawPass, number: int) -> RenderedFrame:
        return next(frame for frame in self.frames if (frame.kind, frame.frame) == (kind, number))

    def truth(self, number: int) -> Truth:
        frame, request = self._frame(RawPass.TRUTH, number), self.request
        later = request.camera_of(min(number + 1, len(request.facial) - 1))
        return read_truth(
            frame.kind.path(self.folder, number), frame.crop,
            plane=request.background, camera=request.camera_of(number), later=later,
        )  # fmt: skip

    def colour(self, kind: RawPass, number: int) -> Array:
        frame = self._frame(kind, number)
        return read_colour(frame.kind.path(self.folder, number), frame.crop, self.background)


def corner_picture(width: int, height: int) -> Array:
    """A background of eight by eight blocks, each of its own colour."""
    rng = np.random.default_rng(5)
    blocks = rng.integers(30, 226, (8, 8, 3), dtype=np.uint8)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    return np.ascontiguousarray(blocks[rows][:, columns])


class Blender:
    """The warm process; each request gets a folder of its own."""

    def __init__(self, process: RenderProcess, scratch: Path) -> None:
        self.process, self._scratch, self._count = process, scratch, 0
        # A small sky: one of Blender's own takes more time to load than the frames to render.
        sky = np.linspace(0.1, 1.2, 16 * 32 * 3, dtype=np.float32).reshape(16, 32, 3)
        self._sky = scratch / "sky.exr"
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        OpenEXR.File(header, {"RGB": sky}).write(str(self._sky))

    def write(self, request: SequenceRequest) -> tuple[Path, Array]:
        """A request's folder, and its background."""
        self._count += 1
        folder = self._scratch / f"request_{self._count}"
        folder.mkdir()
        background = corner_picture(request.camera.width, request.camera.height)
        atlas = np.full((16, 16, 3), (120, 150, 210), np.uint8)
        request = replace(request, environment=str(self._sky))
        request.write(folder, _png(atlas), _png(background[..., ::-1]))
        return folder, background

    def render(self, request: SequenceRequest, save_blend: Path | None = None) -> Rendered:
        folder, background = self.write(request)
        frames = list(self.process.render(folder, threads=2, timeout=300, save_blend=save_blend))
        return Rendered(request, folder, frames, background)


def _png(bgr: Array) -> bytes:
    return bytes(cv2.imencode(".png", bgr)[1])


@pytest.fixture(scope="session")
def blender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blender]:
    scratch = tmp_path_factory.mktemp("blender")
    process = RenderProcess(device="cpu", device_index=0, log=scratch / "log")
    process.start()
    yield Blender(process, scratch)
    process.stop()


@pytest.fixture(scope="session")
def mesh() -> Mesh:
    return make_mesh()


class Kit:
    """The helpers, for tests cannot import this file."""

    camera = staticmethod(make_camera)
    mesh = staticmethod(make_mesh)
    turn = staticmethod(turn)
    smile = staticmethod(smile)
    expected = staticmethod(expected_truth)


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()
