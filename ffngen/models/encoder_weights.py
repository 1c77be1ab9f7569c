"""Weights of a ResNet-50 for DecFlow's facial semantic encoder, from files of several habits of naming."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ffngen.errors import InputFileError
from ffngen.models.resnet import SemanticEncoder
from ffngen.models.weight_file import check_fits, read_weights

EncoderSource = Literal["imagenet", "dad3dheads"]

#: ``features.stage1.unit1...`` of pytorchcv, ``encoder.model.stage1...`` of DAD-3DHeads, ``dad_encoder.model.1...``.
_NAME = re.compile(r"(?:.*\.)?(?:(?P<part>init_block|stage[123])|model\.(?P<index>[0-3]))\.(?P<rest>.+)")
_PARTS = ("init_block", "stage1", "stage2", "stage3")


def load_encoder_weights(path: str | Path) -> dict[str, Tensor]:
    """The state dict of a :class:`~ffngen.models.resnet.SemanticEncoder` out of a file of weights.

    :param path: a ``.safetensors`` or ``.pth`` file that holds a ResNet-50 in pytorchcv's naming, whole or as part
        of a larger network; whatever else it holds is passed over.
    :raises InputFileError: when there is no such ResNet-50 in it.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in read_weights(path).items():
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        index = _PARTS.index(match["part"]) if match["part"] else int(match["index"])
        key = f"model.{index}.{match['rest']}"
        if key in found:
            raise InputFileError(f"holds more than one encoder ({name[:80]})", where=path)
        found[key] = tensor
    if not found:
        mend = "name a ResNet-50 whose keys are pytorchcv's, such as features.stage1.unit1.body.conv1.conv.weight"
        raise InputFileError("holds no ResNet-50 encoder", where=path, mend=mend)
    with torch.device("meta"):
        expected = SemanticEncoder().state_dict()
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):
            # Older files lack this count, which an encoder in evaluation never reads.
            found.setdefault(name, torch.zeros(tensor.shape, dtype=tensor.dtype))
    check_fits(path, found, expected, "a ResNet-50 encoder")
    return found
