"""A fit between two steps, in one file: one that was killed goes on from it exactly."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffngen.atomic import write_atomic
from ffngen.errors import InputFileError
from ffngen.head.npz import read_npz

NAME = "fit_state.npz"
_MOMENTS = ("exp_avg", "exp_avg_sq")
_MAX_BYTES = 1 << 33


@dataclass(frozen=True)
class FitState:
    """What the next step depends on.

    :param step: how many are done.
    :param digest: of what is fitted to what, and how; another one is another fit.
    :param values: the parameters, by name.
    :param moments: Adam's, by the parameter's name and theirs.
    """

    step: int
    digest: str
    values: dict[str, NDArray[np.float32]]
    moments: dict[tuple[str, str], NDArray[np.float32]]


def save_state(path: Path, step: int, digest: str, parameters: dict[str, Tensor], optimizer: torch.optim.Adam) -> None:
    """Write a fit's state in one step; a fit that is killed meanwhile keeps the one before."""
    arrays: dict[str, Any] = {"step": np.int64(step), "digest": np.str_(digest)}
    for name, tensor in parameters.items():
        arrays[name] = tensor.detach().cpu().numpy()
        for moment in _MOMENTS if tensor in optimizer.state else ():
            arrays[f"{name}.{moment}"] = optimizer.state[tensor][moment].cpu().numpy()
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomic(path, buffer.getvalue())


def read_state(path: Path, parameters: dict[str, Tensor]) -> FitState:
    """Read a state.

    :param parameters: of the fit that it should be.
    :raises InputFileError: it is damaged, or of other Gaussians.
    """
    moments = {(name, moment): f"{name}.{moment}" for name in parameters for moment in _MOMENTS}
    arrays = read_npz(path, ("step", "digest", *parameters, *moments.values()), max_bytes=_MAX_BYTES)
    mend = "delete it to begin the fit anew, or --overwrite"
    for name in ("step", "digest", *parameters):
        if name not in arrays:
            raise InputFileError(f"is no fit's state: it has no {name}", where=path, mend=mend)
    for name, tensor in parameters.items():
        for key in (name, *(moments[name, moment] for moment in _MOMENTS)):
            if key in arrays and arrays[key].shape != tuple(tensor.shape):
                raise InputFileError("is the state of another fit", where=path, mend=mend)
    return FitState(
        int(arrays["step"]),
        str(arrays["digest"]),
        {name: arrays[name] for name in parameters},
        {names: arrays[key] for names, key in moments.items() if key in arrays},
    )


def restore(state: FitState, parameters: dict[str, Tensor], optimizer: torch.optim.Adam) -> None:
    """Put a state into parameters and their optimiser."""
    for name, tensor in parameters.items():
        with torch.no_grad():
            tensor.copy_(torch.tensor(state.values[name]))
        if (name, _MOMENTS[0]) in state.moments:
            optimizer.state[tensor] = {
                "step": torch.tensor(float(state.step)),
                **{moment: torch.tensor(state.moments[name, moment]).to(tensor) for moment in _MOMENTS},
            }
