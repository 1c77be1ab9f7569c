"""Blender's Vector pass as optical flow.

The pass ``ViewLayer.Vector.{X, Y, Z, W}`` holds, in pixels with v pointing up, the motion from the previous
frame in X, Y and the motion to the next frame, with both signs turned, in Z, W. It is the truth only at one
sample without filter, denoiser or motion blur: with more samples it is an average over the pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ffngen.flow.values import Flow


def decode_vector_pass(vector: NDArray[np.float32]) -> Flow:
    """The flow from this frame to the next, (-Z, +W).

    :param vector: (H, W, 4) float32, the pass's X, Y, Z, W, top row first.
    :returns: (H, W, 2) float32, pixels, u right, v down.
    """
    return _signed(vector, (2, 3), (-1.0, 1.0))


def decode_vector_pass_backward(vector: NDArray[np.float32]) -> Flow:
    """The backward flow, from this frame to the previous one, (+X, -Y); shapes as in :func:`decode_vector_pass`."""
    return _signed(vector, (0, 1), (1.0, -1.0))


def encode_vector_pass(flow: Flow, backward: Flow) -> NDArray[np.float32]:
    """The pass, (H, W, 4) float32, that the two decoders read as these flows (H, W, 2)."""
    u, v = np.moveaxis(flow, -1, 0)
    back_u, back_v = np.moveaxis(backward, -1, 0)
    return np.asarray(np.stack([back_u, -back_v, -u, v], axis=-1), dtype=np.float32)


def _signed(vector: NDArray[np.float32], channels: tuple[int, int], signs: tuple[float, float]) -> Flow:
    if vector.ndim != 3 or vector.shape[2] != 4:
        raise ValueError(f"a vector pass is (H, W, 4), not {vector.shape}")
    # Adding 0 turns -0 into 0, so that a still pixel has one form in the file.
    flow = vector[..., list(channels)] * np.array(signs, dtype=np.float32) + np.float32(0)
    return flow.astype(np.float32, copy=False)
