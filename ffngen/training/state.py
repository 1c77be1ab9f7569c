"""The state of a run between two steps, in one file without pickles: a run that was killed goes on from it exactly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ffngen.atomic import write_atomic
from ffngen.errors import InputFileError

_MEND = "delete it to begin the run anew, or --overwrite the run"


@dataclass(frozen=True)
class RunState:
    """Everything that the next step depends on, and what the run has reached.

    :param step: how many steps are done, over all stages.
    :param network: the network's weights.
    :param optimizer: of the stage that the next step belongs to; empty between two stages.
    :param scaler: of half precision; empty without it.
    :param best: the best validation score of the stage, or None.
    """

    step: int
    network: dict[str, Tensor]
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    best: float | None


def save_state(path: Path, state: RunState) -> None:
    """Write a state in one step; a run that is killed meanwhile keeps the one before."""
    tensors = {f"network.{name}": _plain(tensor) for name, tensor in state.network.items()}
    moments = state.optimizer.get("state", {})
    for index, values in moments.items():
        tensors |= {f"optimizer.{index}.{name}": _plain(value) for name, value in values.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    record = {
        "step": state.step,
        "groups": state.optimizer.get("param_groups", []),
        "scaler": state.scaler,
        "best": state.best,
    }
    metadata = {"ffngen": json.dumps(record)}
    write_atomic(path, lambda temporary: save_file(tensors, temporary, metadata))


def load_state(path: Path) -> RunState:
    """Read a state, and set the process's random state to its own.

    :raises InputFileError: the file is damaged.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            record = json.loads((file.metadata() or {})["ffngen"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".", 2)
                moments.setdefault(int(index), {})[key] = tensor
        torch.set_rng_state(tensors["random.cpu"])
        if torch.cuda.is_available() and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"])
        return RunState(
            step=int(record["step"]),
            network={n.removeprefix("network."): t for n, t in tensors.items() if n.startswith("network.")},
            optimizer={"state": moments, "param_groups": record["groups"]} if record["groups"] else {},
            scaler=record["scaler"],
            best=record["best"],
        )
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputFileError(f"not the state of a run ({type(error).__name__})", where=path, mend=_MEND) from error


def restore(part: Any, values: dict[str, Any], path: Path) -> None:
    """Put a part of a state, such as its ``network``, into that part of a run.

    :param part: a network or an optimiser.
    :raises InputFileError: it belongs to another one.
    """
    try:
        part.load_state_dict(values)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise InputFileError("the state of another network", where=path, mend=_MEND) from error


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone().contiguous()
