"""An avatar as torch tensors whose values may be fitted, and its way to splats, differentiable all along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffngen.geometry.camera import Camera
from ffngen.splat.avatar import Array64, Avatar
from ffngen.splat.binding import TriangleFrames
from ffngen.splat.harmonics import basis
from ffngen.splat.projection import LOW_PASS

#: What is fitted. Scales and opacities are as in the file: logarithms, and before the logistic function.
NAMES = ("means", "rotations", "log_scales", "logits", "harmonics")


@dataclass(frozen=True, eq=False)
class AvatarTensors:
    """An :class:`.avatar.Avatar` of N Gaussians, in free variables.

    :param means: (N, 3), in units of the triangle's size.
    :param rotations: (N, 4), quaternions, w first, of any length but 0.
    :param log_scales: (N, 3), logarithms of standard deviations in units of the triangle's size.
    :param logits: (N,), opacities before the logistic function.
    :param harmonics: (N, K, 3).
    :param triangles: (N,) int64 array.
    """

    means: Tensor
    rotations: Tensor
    log_scales: Tensor
    logits: Tensor
    harmonics: Tensor
    triangles: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.triangles)

    def parameters(self) -> dict[str, Tensor]:
        """What can be fitted, by name."""
        return {name: getattr(self, name) for name in NAMES}

    def to_avatar(self) -> Avatar:
        """The avatar with these values, as they are now."""
        values = {name: tensor.detach().double().cpu().numpy().copy() for name, tensor in self.parameters().items()}
        return Avatar(
            means=values["means"],
            rotations=values["rotations"] / np.linalg.norm(values["rotations"], axis=1, keepdims=True),
            scales=np.exp(values["log_scales"]),
            opacities=1 / (1 + np.exp(-values["logits"])),
            harmonics=values["harmonics"],
            triangles=self.triangles,
        )


def avatar_tensors(
    avatar: Avatar, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> AvatarTensors:
    """Free variables with an avatar's values; opacities of 0 and 1 become ones that are nearly so."""
    opacities = np.clip(avatar.opacities, 1e-6, 1 - 1e-6)

    def tensor(array: Array64) -> Tensor:
        return torch.tensor(array, dtype=dtype, device=device)

    return AvatarTensors(
        tensor(avatar.means),
        tensor(avatar.rotations),
        tensor(np.log(avatar.scales)),
        tensor(np.log(opacities / (1 - opacities))),
        tensor(avatar.harmonics),
        avatar.triangles,
    )


@dataclass(frozen=True, eq=False)
class PlacedTensors:
    """N Gaussians before a camera.

    :param points: (N, 3), metres, camera coordinates: the means.
    :param covariances: (N, 3, 3), square metres, camera axes.
    :param opacities: (N,).
    :param colours: (N, 3), not below 0.
    """

    points: Tensor
    covariances: Tensor
    opacities: Tensor
    colours: Tensor


def place(avatar: AvatarTensors, frames: TriangleFrames, camera: Camera) -> PlacedTensors:
    """An avatar before a camera: :func:`.binding.pose`, and the colours that the camera sees.

    :param frames: of all of the head's triangles (:func:`.binding.triangle_frames`).
    """
    like = avatar.means
    triangles = avatar.triangles

    def tensor(array: NDArray[Any]) -> Tensor:
        return torch.as_tensor(array, dtype=like.dtype, device=like.device)

    T = camera.T_cam_world
    k = tensor(frames.k[triangles])[:, None]
    # From the triangle's frame straight to the camera's: coordinates stay small where the head is far from the origin.
    R = tensor(T[:3, :3] @ frames.R[triangles])
    points = k * (R @ avatar.means[..., None])[..., 0] + tensor(frames.T[triangles] @ T[:3, :3].T + T[:3, 3])
    axes = R @ _matrices(avatar.rotations) * (k * torch.exp(avatar.log_scales))[:, None, :]
    sight = points / torch.linalg.norm(points, dim=1, keepdim=True)
    values = _colours(avatar.harmonics, sight @ tensor(T[:3, :3]))
    return PlacedTensors(points, axes @ axes.transpose(1, 2), torch.sigmoid(avatar.logits), values)


def project_tensors(points: Tensor, covariances: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Pixels (N, 2) and 2D covariances (N, 2, 2), low-pass included, as :func:`.projection.project` has them."""
    fx, fy, cx, cy = (float(camera.K[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    x, y, z = points.unbind(dim=1)
    zero = torch.zeros_like(z)
    rows = [
        [fx / z, zero, -fx * x / z**2],
        [zero, fy / z, -fy * y / z**2],
    ]
    J = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=1)
    pixels = torch.stack([fx * x / z + cx, fy * y / z + cy], dim=-1)
    widened = LOW_PASS * torch.eye(2, dtype=z.dtype, device=z.device)
    return pixels, J @ covariances @ J.transpose(1, 2) + widened


def _matrices(quaternions: Tensor) -> Tensor:
    """(N, 3, 3): as :func:`.binding.quaternion_matrices`."""
    w, x, y, z = (quaternions / torch.linalg.norm(quaternions, dim=1, keepdim=True)).unbind(dim=1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=1)


def _colours(harmonics: Tensor, directions: Tensor) -> Tensor:
    """(N, 3): as :func:`.harmonics.colours`; the gradient leaves out that directions change with the means."""
    values = basis(directions.detach().double().cpu().numpy(), harmonics.shape[1])
    weights = torch.as_tensor(values, dtype=harmonics.dtype, device=harmonics.device)
    return torch.clamp((weights[..., None] * harmonics).sum(dim=1) + 0.5, min=0)
