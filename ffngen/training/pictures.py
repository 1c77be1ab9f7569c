"""A batch's first pair as a picture: images, and true and estimated flows under each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ffngen.flow.color import flow_to_rgb
from ffngen.models.output import Flows
from ffngen.training.batches import Batch

Rgb = NDArray[np.uint8]


def batch_picture(batch: Batch, flows: Flows) -> Rgb:
    """(2 H, 2 W or more, 3): the images, then for each flow the true one above the estimate, on one scale."""
    columns = [[image[0].cpu().numpy() for image in (batch.image1, batch.image2)]]
    truth = batch.truth
    true = {"facial": truth.facial, "head": truth.head, "expression": truth.facial - truth.head}
    for name, target in true.items():
        estimate = getattr(flows, name)
        if estimate is None:
            continue
        pair = [_array(target[0]), _array(estimate[0])]
        scale = float(np.linalg.norm(pair[0], axis=-1).max()) or 1.0
        columns.append([flow_to_rgb(flow, scale) for flow in pair])
    return np.concatenate([np.concatenate(column, axis=0) for column in columns], axis=1)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().float().permute(1, 2, 0).cpu().numpy())
