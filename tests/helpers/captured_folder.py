"""A captured folder as VHAP exports it, of a person who is an egg, by several cameras, drawn from an avatar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation
from tracker_files import vhap_item, vhap_parameters, write_json

from ffngen.geometry.camera import Camera
from ffngen.head.flame import read_model
from ffngen.head.model import HeadModel
from ffngen.images import encode_png
from ffngen.motion.sequence import make_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.gaussian_avatars import read_gaussian_avatars
from ffngen.splat.avatar import Avatar
from ffngen.splat.binding import pose
from ffngen.splat.flow import ray_depth
from ffngen.splat.projection import project
from ffngen.splat.rasterise import rasterise
from ffngen.splat.surface import flat_gaussians, spread

WIDTH, HEIGHT, FOCAL = 64, 80, 320.0
VERTICES = 5023
BEHIND = np.array([0.1, 0.3, 0.5])


def egg_head(folder: Path) -> HeadModel:
    """A model in FLAME's form whose surface is an egg, a tenth of a metre in radius; without expression but in name."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(VERTICES, 3))
    points *= np.array([0.08, 0.11, 0.09]) / np.linalg.norm(points, axis=1, keepdims=True)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / "FLAME_NEUTRAL.npz",
        v_template=points,
        f=ConvexHull(points).simplices.astype(np.uint32),
        shapedirs=np.zeros((VERTICES, 3, 400), np.float32),
        posedirs=np.zeros((VERTICES, 3, 36), np.float32),
        J_regressor=np.full((5, VERTICES), 1 / VERTICES),
        weights=np.eye(5)[np.zeros(VERTICES, np.int64)],
        kintree_table=np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], dtype=np.uint32),
    )
    return read_model(folder / "FLAME_NEUTRAL.npz", family="flame2023")


def egg_avatar(model: HeadModel, count: int = 1500, *, grey: bool = False) -> Avatar:
    """Striped in three colours, or grey."""
    places = spread(model.template, model.faces, count, 0)
    points = places.points(model.template[model.faces])
    colours = (
        np.full((count, 3), 0.5)
        if grey
        else 0.5 + 0.4 * np.sin(points @ np.array([[30, 0, 60], [50, 40, 0], [0, 70, 0]]))
    )
    return flat_gaussians(model.template, model.faces, places, colours)


def write_captured(folder: Path, model: HeadModel, timesteps: int = 2, cameras: int = 5) -> None:
    """Pictures, masks, cameras and parameters; the background is one colour."""
    avatar = egg_avatar(model)
    for name in ("flame_param", "images", "fg_masks"):
        (folder / name).mkdir(parents=True)
    items = []
    for t in range(timesteps):
        arrays = vhap_parameters(t, 1, VERTICES) | {"translation": np.array([[0.01 * t, 0.0, 0.02]], np.float32)}
        np.savez(folder / "flame_param" / f"{t:05d}.npz", **arrays)
        (one,) = read_gaussian_avatars(folder / "flame_param" / f"{t:05d}.npz")
        vertices = sequence_vertices(model, make_sequence(one, 2))[0][-1]
        for c in range(cameras):
            c2w = np.eye(4)
            c2w[:3, :3] = Rotation.from_euler("yx", [0.5 * c - 1, 0.2]).as_matrix()
            c2w[:3, 3] = c2w[:3, :3] @ [0, 0, 1.0]
            # VHAP's cy counts from below, and both from the image's edge.
            K = np.array([[FOCAL, 0, 30.0], [0, FOCAL, HEIGHT - 43.0 - 1], [0, 0, 1]])
            camera = Camera(K, c2w @ np.diag([1, -1, -1, 1]), WIDTH, HEIGHT)
            splats = project(pose(avatar, vertices, model.faces), camera)
            image = rasterise(splats, ray_depth(splats))
            picture = image.colour + (1 - image.alpha[..., None]) * BEHIND
            item = vhap_item(t, c, c2w, (FOCAL, FOCAL, 30.5, 43.5), (WIDTH, HEIGHT))
            item["fg_mask_path"] = item["file_path"].replace("images", "fg_masks")
            items.append(item)
            (folder / item["file_path"]).write_bytes(encode_png(np.uint8(np.rint(255 * np.clip(picture, 0, 1)))))
            mask = np.repeat(np.uint8(255 * image.mask)[..., None], 3, axis=2)
            (folder / item["fg_mask_path"]).write_bytes(encode_png(mask))
    write_json(folder / "transforms.json", {"frames": items})
