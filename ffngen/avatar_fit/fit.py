"""The fit: Adam on an avatar's Gaussians, one picture a step, as 3D Gaussian Splatting and GaussianAvatars do it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffngen.avatar_fit.loss import mask_loss, photometric_loss
from ffngen.avatar_fit.settings import FitSettings
from ffngen.avatar_fit.source import FitSource
from ffngen.avatar_fit.state import NAME, read_state, restore, save_state
from ffngen.avatar_fit.view import FitView, ViewSource
from ffngen.errors import InputFileError
from ffngen.splat.avatar import SH_COUNTS, Avatar
from ffngen.splat.binding import triangle_frames
from ffngen.splat.differentiable import Device, choose_device, draw
from ffngen.splat.tensors import avatar_tensors

#: Learning rates: GaussianAvatars' for places, turns, scales and opacities, and for harmonics ten times theirs, as a
#: fit here has hundreds of steps and not hundreds of thousands. Higher harmonics learn at a twentieth of it.
_RATES = {"means": 5e-3, "rotations": 1e-3, "log_scales": 1.7e-2, "logits": 5e-2, "harmonics": 2.5e-2}
_HIGHER = 1 / 20
#: All rates fall to this share, evenly in their logarithm.
_LAST = 0.1
_EPSILON = 1e-15
#: A Gaussian that becomes so many times larger or smaller than it was would hide what is under it, or show it, when the
#: face moves on.
_RESIZED = 2.0
#: What it costs to become clearer than at first: where the outline is, Gaussians that stand out would else become so,
#: and leave a hole for other views.
_CLEARER = 0.2
#: Seconds between two checkpoints.
_CHECKPOINT_SECONDS = 20.0
#: Views that are kept in memory.
_KEPT = 256


@dataclass(frozen=True)
class FitStep:
    """How a fit goes.

    :param done: how many steps are done.
    :param loss: of the last step.
    :param psnr: dB, of its picture.
    """

    done: int
    loss: float
    psnr: float


def with_degree(avatar: Avatar, degree: int) -> Avatar:
    """The avatar with harmonics up to a degree: further ones are left away, new ones are 0."""
    count = SH_COUNTS[degree]
    harmonics = np.zeros((len(avatar), count, 3))
    kept = min(count, avatar.harmonics.shape[1])
    harmonics[:, :kept] = avatar.harmonics[:, :kept]
    return replace(avatar, harmonics=harmonics)


class Fit:
    """An avatar that is being fitted.

    :param start: what it begins with.
    :param faces: (F, 3): the head's.
    :param digest: of all that the result depends on.
    :raises InputFileError: the folder holds another fit's state.
    """

    def __init__(
        self,
        source: FitSource,
        start: Avatar,
        faces: NDArray[Any],
        settings: FitSettings,
        folder: Path,
        digest: str,
        device: Device = "cpu",
    ) -> None:
        self._source, self._faces, self._settings = source, faces, settings
        self._path, self._digest = folder / NAME, digest
        self.tensors = avatar_tensors(with_degree(start, settings.sh_degree), device=choose_device(device))
        self._start = self.tensors.log_scales.clone(), torch.sigmoid(self.tensors.logits)
        self._free = self._free_parameters()
        groups = [{"params": [tensor], "lr": _RATES[name], "name": name} for name, tensor in self._free.items()]
        self._optimizer = torch.optim.Adam(groups, eps=_EPSILON)
        self.done = self._resume()
        self._view = lru_cache(maxsize=_KEPT)(_load)

    def _free_parameters(self) -> dict[str, Tensor]:
        names = ("log_scales", "logits", "harmonics", *(("means", "rotations") if self._settings.move else ()))
        for name in names:
            getattr(self.tensors, name).requires_grad_(True)
        return {name: getattr(self.tensors, name) for name in names}

    def _resume(self) -> int:
        if not self._path.is_file():
            return 0
        state = read_state(self._path, self._free)
        if state.digest != self._digest:
            mend = "give --overwrite, another --out, or the same pictures, avatar and options as before"
            raise InputFileError("is the state of another fit", where=self._path, mend=mend)
        restore(state, self._free, self._optimizer)
        return state.step

    def steps(self) -> Iterator[FitStep]:
        """Fit; after each step, how it goes. A checkpoint is written now and then, and at the end."""
        saved = time.monotonic()
        while self.done < self._settings.steps:
            loss, psnr = self._step(self._view(self._chosen(self.done), self._settings.longest))
            self.done += 1
            if time.monotonic() - saved > _CHECKPOINT_SECONDS or self.done == self._settings.steps:
                self.save()
                saved = time.monotonic()
            yield FitStep(self.done, loss, psnr)

    def save(self) -> None:
        """Write a checkpoint."""
        save_state(self._path, self.done, self._digest, self._free, self._optimizer)

    def _chosen(self, step: int) -> ViewSource:
        """The picture of a step: all of them in an order that is drawn, then all again in another one."""
        views = self._source.fitted
        round_, place = divmod(step, len(views))
        return views[int(np.random.default_rng([self._settings.seed, round_]).permutation(len(views))[place])]

    def _step(self, view: FitView) -> tuple[float, float]:
        device = self.tensors.means.device

        def tensor(array: NDArray[Any]) -> Tensor:
            return torch.as_tensor(np.float32(array), device=device)

        counted, truth = tensor(view.counted), tensor(view.image)
        colour, alpha = draw(self.tensors, triangle_frames(view.vertices, self._faces), view.camera)
        image = colour + (1 - alpha[..., None]) * tensor(view.background)
        loss = photometric_loss(image, truth, counted)
        loss = loss + mask_loss(alpha, tensor(view.inside), tensor(view.counted & ~view.outline))
        loss = loss + self._bounds()
        for group in self._optimizer.param_groups:
            group["lr"] = _RATES[group["name"]] * _LAST ** (self.done / self._settings.steps)
        self._optimizer.zero_grad()
        loss.backward()
        higher = self.tensors.harmonics[:, 1:]
        before = higher.detach().clone()
        self._optimizer.step()
        with torch.no_grad():
            # Adam's steps are as long as the rate says, whatever the gradient: here they are cut short.
            higher.copy_(torch.lerp(before, higher, _HIGHER))
        error = float((((image.detach() - truth) ** 2).mean(dim=-1) * counted).sum() / counted.sum())
        return float(loss.detach()), float(-10 * np.log10(max(error, 1e-10)))

    def _bounds(self) -> Tensor:
        """What Gaussians pay that change much; that they stay on their triangle is GaussianAvatars' (equation 5)."""
        scales, opacities = self._start
        resized = torch.relu((self.tensors.log_scales - scales).abs() - float(np.log(_RESIZED)))
        clearer = torch.relu(opacities - torch.sigmoid(self.tensors.logits))
        cost = resized.mean() + _CLEARER * clearer.mean()
        if self._settings.move:
            cost = cost + 0.01 * torch.relu(torch.linalg.norm(self.tensors.means, dim=1) - 1).mean()
        return cost


def _load(view: ViewSource, longest: int) -> FitView:
    return view.load(longest)
