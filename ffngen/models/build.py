"""Networks with random weights, by name."""

from __future__ import annotations

from pathlib import Path

import torch

from ffngen.atomic import sha256_file
from ffngen.errors import JobError
from ffngen.models.baselines import GMA, RAFT, SKFlow, SRFlowNet
from ffngen.models.config import EncoderInput, EncoderWeights, Mode, ModelConfig, NetworkName
from ffngen.models.decflow import DecFlow
from ffngen.models.encoder_weights import EncoderSource, load_encoder_weights
from ffngen.models.network import FlowNetwork

_BASELINES: dict[NetworkName, type[FlowNetwork]] = {
    NetworkName.RAFT: RAFT,
    NetworkName.GMA: GMA,
    NetworkName.SKFLOW: SKFlow,
    NetworkName.SRFLOWNET: SRFlowNet,
}

_SOURCE_INPUT = {"imagenet": EncoderInput.IMAGENET, "dad3dheads": EncoderInput.DAD_3DHEADS}


def build(
    name: str,
    *,
    seed: int = 0,
    mode: str | None = None,
    encoder_weights: str | Path | None = None,
    encoder_source: EncoderSource | None = None,
) -> FlowNetwork:
    """A network with random weights, in training mode on the CPU; its ``config`` says what it is.

    :param name: ``raft``, ``gma``, ``skflow``, ``srflownet`` or ``decflow``.
    :param seed: of the random weights; the process's own random state is left as it was.
    :param mode: DecFlow's: ``paper`` (the default) or ``official``.
    :param encoder_weights: a file with weights for DecFlow's semantic encoder; random without it.
    :param encoder_source: what ``encoder_weights`` were trained for: ``imagenet`` or ``dad3dheads``. In the paper's
        mode it decides how images are normalised for the encoder.
    :raises JobError: for an unknown name or an option that the network does not take.
    :raises InputFileError: for a file that is no such encoder.
    """
    known = _named(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if known is not NetworkName.DECFLOW:
            if any(option is not None for option in (mode, encoder_weights, encoder_source)):
                raise JobError(f"{known.value} takes no mode and no semantic encoder", where="model")
            return from_config(ModelConfig(network=known))
        if (encoder_weights is None) != (encoder_source is None):
            mend = "name a file of weights and say whether they are imagenet or dad3dheads"
            raise JobError("encoder_weights and encoder_source go together", where="model", mend=mend)
        return _build_decflow(_mode(mode), encoder_weights, encoder_source)


def from_config(config: ModelConfig) -> FlowNetwork:
    """A network with random weights, as a config describes it."""
    if config.network is NetworkName.DECFLOW:
        network: FlowNetwork = DecFlow(config.mode or Mode.PAPER, config.encoder_input or EncoderInput.IMAGENET)
    else:
        network = _BASELINES[config.network]()
    network.config = config
    return network


def _build_decflow(mode: Mode, weights: str | Path | None, source: EncoderSource | None) -> FlowNetwork:
    origin = EncoderWeights()
    encoder_input = EncoderInput.IMAGENET
    if weights is not None and source is not None:
        if source not in _SOURCE_INPUT:
            mend = f"use one of {', '.join(_SOURCE_INPUT)}"
            raise JobError(f"unknown encoder source {str(source)[:40]!r}", where="model", mend=mend)
        loaded = load_encoder_weights(weights)
        origin = EncoderWeights(source=source, file=Path(weights).name, sha256=sha256_file(weights))
        encoder_input = _SOURCE_INPUT[source]
    if mode is Mode.OFFICIAL:
        encoder_input = EncoderInput.SYMMETRIC
    config = ModelConfig(network=NetworkName.DECFLOW, mode=mode, encoder_input=encoder_input, encoder_weights=origin)
    network = from_config(config)
    if weights is not None:
        network.get_submodule("dad_encoder").load_state_dict(loaded)
    return network


def _named(name: str) -> NetworkName:
    try:
        return NetworkName(name)
    except ValueError:
        mend = f"use one of {', '.join(NetworkName)}"
        raise JobError(f"unknown network {str(name)[:40]!r}", where="model", mend=mend) from None


def _mode(mode: str | None) -> Mode:
    try:
        return Mode.PAPER if mode is None else Mode(mode)
    except ValueError:
        raise JobError(f"unknown mode {str(mode)[:40]!r}", where="model", mend="use paper or official") from None
