"""Files as trackers write them, from the layouts of their own code, and heads to put their parameters on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ffngen.head.flame import read_model
from ffngen.head.model import HeadModel

Array = np.ndarray[Any, Any]


def random_head(folder: Path, family: str, vertices: int) -> HeadModel:
    """A random model in FLAME's form, of a head's size; its file is ``folder/FLAME_NEUTRAL.npz``.

    Its joints are centimetres apart, for each is the middle of three vertices.
    """
    rng = np.random.default_rng(vertices)
    regressor = np.zeros((5, vertices))
    regressor[np.arange(5).repeat(3), rng.choice(vertices, 15, replace=False)] = 1 / 3
    shapedirs = rng.normal(scale=1e-3, size=(vertices, 3, 400)).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / "FLAME_NEUTRAL.npz",
        v_template=rng.normal(scale=0.05, size=(vertices, 3)),
        f=rng.integers(0, vertices, size=(9976 if vertices == 5023 else 10, 3)).astype(np.uint32),
        shapedirs=shapedirs,
        posedirs=rng.normal(scale=1e-2, size=(vertices, 3, 36)).astype(np.float32),
        J_regressor=regressor,
        weights=rng.dirichlet(np.full(5, 0.3), size=vertices),
        kintree_table=np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], dtype=np.uint32),
    )
    return read_model(folder / "FLAME_NEUTRAL.npz", family=family)


def six_numbers(rotation: Rotation, scale: float = 1.0) -> Array:
    """PyTorch3D's ``matrix_to_rotation_6d``: the first two rows; an optimiser leaves them of another length."""
    six: Array = (rotation.as_matrix()[:2].reshape(1, 6) * scale).astype(np.float32)
    return six


def deca_codes(seed: int = 0, frames: int = 1) -> dict[str, Array]:
    """What ``DECA.encode`` returns, as arrays."""
    rng = np.random.default_rng(seed)
    sizes = {"shape": (100,), "tex": (50,), "exp": (50,), "pose": (6,), "light": (9, 3), "detail": (128,)}
    codes = {name: rng.normal(size=(frames, *size)).astype(np.float32) for name, size in sizes.items()}
    codes["cam"] = np.tile(np.array([[8.5, 0.012, -0.021]], dtype=np.float32), (frames, 1))
    codes["images"] = np.zeros((frames, 3, 8, 8), dtype=np.float32)
    return codes


def smirk_codes(seed: int = 0, frames: int = 1) -> dict[str, Array]:
    """What ``SmirkEncoder`` returns, as arrays."""
    rng = np.random.default_rng(seed)
    sizes = {"pose_params": 3, "shape_params": 300, "expression_params": 50, "jaw_params": 3}
    codes = {name: rng.normal(scale=0.1, size=(frames, size)).astype(np.float32) for name, size in sizes.items()}
    codes["eyelid_params"] = rng.random((frames, 2)).astype(np.float32)
    codes["cam"] = np.tile(np.array([[7.1, -0.03, 0.02]], dtype=np.float32), (frames, 1))
    return codes


class Pytorch3dCamera:
    """PyTorch3D's PerspectiveCameras in its normalised coordinates: row vectors, x to the left, y up."""

    def __init__(self, R: Rotation, T: Array, focal: float, principal: Array, height: int, width: int) -> None:
        self.R, self.T = R.as_matrix(), np.asarray(T, dtype=np.float64)
        self.focal, self.principal = focal, np.asarray(principal, dtype=np.float64)
        self.height, self.width = height, width

    def screen(self, points: Array) -> Array:
        """``transform_points_screen``: pixels from the upper left corner of the image."""
        view = points @ self.R + self.T
        ndc = self.focal * view[:, :2] / view[:, 2:] + self.principal
        half = min(self.height, self.width) / 2
        pixels: Array = np.array([self.width, self.height]) / 2 - half * ndc
        return pixels

    def opencv(self) -> dict[str, Array]:
        """``opencv_from_cameras_projection``: R, t and K for column vectors, x to the right, y down."""
        half = min(self.height, self.width) / 2
        K = np.eye(3)
        K[0, 0] = K[1, 1] = self.focal * half
        K[:2, 2] = np.array([self.width, self.height]) / 2 - self.principal * half
        flip = np.array([-1.0, -1.0, 1.0])
        parts = {"R": (self.R * flip).T, "t": self.T * flip, "K": K}
        return {name: part[None].astype(np.float32) for name, part in parts.items()}


def tracker_camera(height: int = 512, width: int = 512) -> Pytorch3dCamera:
    """A camera one metre before the face that looks back at it, a little from the side."""
    R = Rotation.from_euler("yx", [np.pi + 0.15, 0.1])
    return Pytorch3dCamera(R, np.array([0.02, -0.03, 1.0]), 9.7, np.array([0.03, -0.05]), height, width)


def metrical_frame(
    seed: int, camera: Pytorch3dCamera, jaw: Rotation, eyes: tuple[Rotation, Rotation]
) -> dict[str, Any]:
    """The dict of metrical-tracker's ``save_checkpoint``."""
    rng = np.random.default_rng(seed)
    return {
        "flame": {
            "exp": rng.normal(size=(1, 100)).astype(np.float32),
            "shape": np.random.default_rng(99).normal(size=(1, 300)).astype(np.float32),
            "tex": np.zeros((1, 140), dtype=np.float32),
            "sh": np.zeros((1, 9, 3), dtype=np.float32),
            "eyes": np.concatenate([six_numbers(eyes[0], 1.2), six_numbers(eyes[1])], axis=1),
            "eyelids": np.array([[0.25, 0.5]], dtype=np.float32),
            "jaw": six_numbers(jaw, 0.9),
        },
        "camera": {
            "R": six_numbers(Rotation.from_matrix(camera.R)),
            "t": camera.T[None].astype(np.float32),
            "fl": np.array([[camera.focal]], dtype=np.float32),
            "pp": camera.principal[None].astype(np.float32),
        },
        "opencv": camera.opencv(),
        "img_size": np.array([camera.height, camera.width]),
        "frame_id": f"{seed:05d}",
        "global_step": 1234,
    }


def vhap_parameters(seed: int, frames: int = 1, vertices: int = 5143) -> dict[str, Array]:
    """The arrays of VHAP's tracking."""
    rng = np.random.default_rng(seed)
    sizes = {"rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6, "translation": 3}
    arrays = {name: rng.normal(scale=0.2, size=(frames, size)).astype(np.float32) for name, size in sizes.items()}
    arrays["expr"] = rng.normal(size=(frames, 100)).astype(np.float32)
    fixed = np.random.default_rng(7)
    arrays["shape"] = fixed.normal(size=300).astype(np.float32)
    arrays["static_offset"] = fixed.normal(scale=1e-3, size=(1, vertices, 3)).astype(np.float32)
    return arrays


def vhap_item(
    timestep: int, camera: int, c2w: Array, K: tuple[float, float, float, float], size: tuple[int, int]
) -> Any:
    """A frame of VHAP's transforms.json; ``c2w`` of OpenGL axes, K = fl_x, fl_y, cx, cy, size = w, h."""
    return {
        "timestep_index": timestep,
        "timestep_id": f"frame_{timestep:05d}",
        "camera_index": camera,
        "camera_id": f"2222001{camera}",
        **dict(zip(("fl_x", "fl_y", "cx", "cy"), K, strict=True)),
        "w": size[0],
        "h": size[1],
        "transform_matrix": np.asarray(c2w).tolist(),
        "file_path": f"images/{timestep:05d}_{camera:02d}.png",
        "flame_param_path": f"flame_param/{timestep:05d}.npz",
    }


def vhap_pixels(points: Array, item: Any) -> Array:
    """Where VHAP's clip matrix puts points, counted from the corner; its rows run from the image's lower edge."""
    w, h = item["w"], item["h"]
    view = np.linalg.inv(item["transform_matrix"]) @ np.c_[points, np.ones(len(points))].T
    proj = np.zeros((4, 4))
    proj[0, 0], proj[1, 1] = 2 * item["fl_x"] / w, 2 * item["fl_y"] / h
    proj[0, 2], proj[1, 2] = (w - 2 * item["cx"]) / w, (h - 2 * item["cy"]) / h
    proj[2, 2], proj[2, 3], proj[3, 2] = -1.02, -0.2, -1
    clip = proj @ view
    ndc = clip[:2] / clip[3]
    pixels: Array = np.stack([(ndc[0] + 1) / 2 * w, (1 - ndc[1]) / 2 * h], axis=1)
    return pixels


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
