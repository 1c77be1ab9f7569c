"""Networks in files: ffngen's own ``.safetensors`` with a ``.json`` beside it, and the authors' ``.pth``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from ffngen.atomic import read_bounded, write_atomic
from ffngen.errors import InputFileError
from ffngen.models.build import from_config
from ffngen.models.config import EncoderInput, EncoderWeights, Mode, ModelConfig, NetworkName
from ffngen.models.decflow import DecFlow
from ffngen.models.network import FlowNetwork
from ffngen.models.weight_file import check_fits, read_weights

_MAX_CONFIG_BYTES = 2**20


def save(network: FlowNetwork, path: str | Path, notes: Mapping[str, Any] | None = None) -> None:
    """Write a network's weights, and beside them its config.

    :param network: its ``config`` is what is written.
    :param path: the file, ending in ``.safetensors``; the config takes the same name with ``.json``.
    :param notes: what else to record, as JSON; instead of the config's own notes.
    :raises InputFileError: for another suffix.
    :raises DatasetError: when the folder cannot be written to.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputFileError("a checkpoint's name ends in .safetensors", where=path)
    config = network.config if notes is None else network.config.model_copy(update={"notes": dict(notes)})
    # Some norms have two names; in the file each name has its own copy, as in the published checkpoints.
    weights = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in network.state_dict().items()}
    # The config comes first: whoever sees the weights finds it.
    write_atomic(path.with_suffix(".json"), (config.model_dump_json(indent=1) + "\n").encode())
    write_atomic(path, lambda temporary: save_file(weights, temporary))


def load_network(path: str | Path) -> FlowNetwork:
    """The network of a checkpoint, in evaluation mode on the CPU, every name and shape checked.

    A file without a config (a published one) shows by its names which network it is; a DecFlow is then taken to be
    of the official mode.

    :raises InputFileError: for anything but a whole checkpoint of one of ffngen's networks.
    """
    path = Path(path)
    weights = read_weights(path)
    config = _read_config(path.with_suffix(".json")) if path.suffix == ".safetensors" else _identify(path, weights)
    with torch.device("meta"):
        network = from_config(config)
    expected = network.state_dict()
    check_fits(path, weights, expected, config.network)
    network.load_state_dict({name: weights[name].to(t.dtype) for name, t in expected.items()}, assign=True)
    network.eval()
    return network


def start_from(network: FlowNetwork, path: str | Path) -> list[str]:
    """Take over from a checkpoint whatever parts it has in common with a network, as a training's start.

    A GMA's decoder becomes both decoders of a DecFlow.

    :param network: changed in place.
    :param path: a checkpoint of the same or another network.
    :returns: the names of the parts that were taken over, such as ``fnet``.
    :raises InputFileError: as :func:`load_network`, and when the networks have no part in common.
    """
    source = load_network(path)
    parts = dict(source.named_children())
    if isinstance(network, DecFlow) and not isinstance(source, DecFlow) and "update_block" in parts:
        parts["update_block_head"] = parts["update_block"]
    taken = []
    for name, part in network.named_children():
        given = parts[name].state_dict() if name in parts else {}
        if _shapes(given) == _shapes(part.state_dict()):
            part.load_state_dict(given)
            taken.append(name)
    if not taken:
        raise InputFileError("has no part in common with the network", where=path)
    return taken


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in weights.items()}


def _read_config(path: Path) -> ModelConfig:
    content = read_bounded(path, _MAX_CONFIG_BYTES)
    try:
        return ModelConfig.model_validate(json.loads(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise InputFileError(f"{where}: {first['msg']}", where=path) from error
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"not JSON ({type(error).__name__})", where=path) from error


def _identify(path: Path, weights: Mapping[str, Tensor]) -> ModelConfig:
    if "update_block_head.gru.convz1.weight" in weights:
        return ModelConfig(
            network=NetworkName.DECFLOW,
            mode=Mode.OFFICIAL,
            encoder_input=EncoderInput.SYMMETRIC,
            encoder_weights=EncoderWeights(source="checkpoint", file=path.name),
        )
    if "update_block.gru.ffn1.0.weight" in weights:
        return ModelConfig(network=NetworkName.SKFLOW)
    if "update_block.aggregator.gamma" in weights:
        return ModelConfig(network=NetworkName.GMA)
    if "update_block.gru.convz1.weight" in weights:
        return ModelConfig(network=NetworkName.RAFT)
    raise InputFileError("not the weights of RAFT, GMA, SKFlow or DecFlow", where=path)
