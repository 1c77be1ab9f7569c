"""The network of ``ffngen.fit.refine``: what it is, how it learns, and how it is written as ONNX."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ffngen.fit.frontal import SIZE, Array32
from ffngen.fit.refine import mirror_points, mirror_view, network_input

Array64 = NDArray[np.float64]

COUNT = 51
BATCH, RATE, DECAY = 32, 3e-3, 1e-3
#: The weight of the deviations' likelihood next to the points' distance in pixels.
SURE = 0.1
#: The share of pictures that show nothing: the network learns how badly the detector alone knows landmarks.
NOTHING = 0.04
#: The network begins with so much of its usual answer: landmarks are about where they were detected.
TIMID = 0.1


@dataclass(frozen=True, eq=False)
class Example:
    """A face as if seen from the front.

    :param views: of the picture, and of a coarser one: (rows, columns) grey levels.
    :param detected: (51, 2) column and row.
    :param true: (51, 2).
    """

    views: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    detected: Array64
    true: Array64


def block(inward: int, outward: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    """A convolution with its normalisation."""
    convolution = nn.Conv2d(inward, outward, size, stride, size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outward), nn.ReLU(inplace=True))


class LandmarkNetwork(nn.Module):
    """(B, 2, rows, columns) to (B, 153, rows / 2, columns / 2), see ``ffngen.fit.refine.decode``."""

    def __init__(self) -> None:
        super().__init__()
        self.at_half = nn.Sequential(block(2, 24, 2, 5), block(24, 24))
        self.at_quarter = nn.Sequential(block(24, 48, 2), block(48, 48))
        self.at_eighth = nn.Sequential(block(48, 80, 2), block(80, 80))
        self.at_sixteenth = nn.Sequential(block(80, 112, 2), block(112, 112), block(112, 80))
        self.to_quarter, self.to_half = block(80, 48), block(48, 32)
        self.skip, self.last = block(24, 32, 1, 1), block(32, 32)
        self.maps = nn.Conv2d(32, 3 * COUNT, 1)
        with torch.no_grad():
            self.maps.weight *= TIMID
            self.maps.bias *= 0

    def forward(self, views: Tensor) -> Tensor:
        half = self.at_half(views)
        quarter = self.at_quarter(half)
        eighth = self.at_eighth(quarter)
        up = self.to_quarter(eighth + _twice(self.at_sixteenth(eighth)))
        up = self.to_half(quarter + _twice(up))
        maps: Tensor = self.maps(self.last(self.skip(half) + _twice(up)))
        return maps


def _twice(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2.0, mode="nearest")


def varied(example: Example, rng: np.random.Generator) -> tuple[Array32, Array32, Array32]:
    """What the network is shown, where landmarks are detected, and where they are."""
    pixels = example.views[int(rng.random() < 0.4)].astype(np.float32)
    true, detected = example.true, example.detected
    if rng.random() < 0.5:
        pixels, detected = mirror_view(pixels, detected)
        true = mirror_points(true)
    # The detector that places the view errs.
    rows, columns = SIZE
    angle, size = np.radians(2.5) * rng.normal(), np.exp(0.03 * rng.normal())
    turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([columns / 2, rows / 2])
    shift = middle + 1.5 * rng.normal(size=2) - turn @ middle
    moved = cv2.warpAffine(pixels, np.column_stack([turn, shift]), (columns, rows), borderMode=cv2.BORDER_REPLICATE)
    true, detected = true @ turn.T + shift, detected @ turn.T + shift
    detected = detected + 0.4 * rng.normal(size=2) + 0.2 * rng.normal(size=detected.shape)
    shown = network_input(_relit(moved, rng), detected)
    return shown, detected.astype(np.float32), true.astype(np.float32)


def _relit(pixels: Array32, rng: np.random.Generator) -> Array32:
    """Another exposure, shadows, blur, noise, and at times something in front of the face or in its place."""
    rows, columns = SIZE
    if rng.random() < NOTHING:
        noise = cv2.GaussianBlur(rng.normal(size=SIZE), (0, 0), rng.uniform(0.3, 12))
        return (rng.uniform(20, 200) + rng.uniform(5, 60) * noise / noise.std()).astype(np.float32)
    pixels = (np.clip(pixels, 0, 255) / 255) ** np.exp(0.3 * rng.normal()) * 255
    row, column = np.mgrid[:rows, :columns] / [[[rows]], [[columns]]] - 0.5
    if rng.random() < 0.5:
        down, across = 0.35 * rng.normal(size=2)
        pixels = pixels * np.maximum(1 + down * row + across * column, 0.3)
    if rng.random() < 0.3:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.3))
    if rng.random() < 0.25:
        hidden = np.zeros(SIZE, dtype=np.uint8)
        centre, axes = rng.uniform(0, (columns, rows)).astype(int), rng.uniform(5, 30, size=2).astype(int)
        cv2.ellipse(hidden, centre.tolist(), axes.tolist(), rng.uniform(0, 180), 0, 360, 1, -1)
        pixels = np.where(hidden > 0, rng.uniform(0, 255), pixels)
    if rng.random() < 0.6:
        pixels = pixels + rng.uniform(0, 6) * rng.normal(size=SIZE)
    return pixels.astype(np.float32)


def loss_of(maps: Tensor, detected: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """What is minimised, and the points' mean distance in pixels."""
    batch, _, *size = maps.shape
    scale = torch.tensor([SIZE[1], SIZE[0]])
    # torch's coordinates: -1 and 1 are the outer edges of the outer cells.
    at = ((2 * detected + 1) / scale - 1).reshape(batch * COUNT, 1, 1, 2)
    own = maps.reshape(batch * COUNT, 3, *size)
    said = functional.grid_sample(own, at, padding_mode="border", align_corners=False).reshape(batch, COUNT, 3)
    points, logarithm = detected + said[..., :2], said[..., 2]
    off = functional.smooth_l1_loss(points, true, reduction="none").sum(-1)
    # Of errors that have a Laplace distribution's tails; the deviations do not move the points.
    distance = torch.linalg.vector_norm(points.detach() - true, dim=-1)
    sure = 2 * logarithm + 2 * distance * torch.exp(-logarithm)
    return (off + SURE * sure).mean(), distance.mean()


def learn(examples: list[Example], epochs: int, seed: int = 0) -> LandmarkNetwork:
    """A network that has seen each example so often."""
    torch.manual_seed(seed)
    network, rng = LandmarkNetwork(), np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    steps = len(examples) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=epochs * steps + 1, pct_start=0.1)
    begin = time.monotonic()
    for epoch in range(epochs):
        distances = []
        order = rng.permutation(len(examples))
        for i in range(steps):
            shown = [varied(examples[j], rng) for j in order[i * BATCH : (i + 1) * BATCH]]
            views, detected, true = (torch.from_numpy(np.array(part)) for part in zip(*shown, strict=True))
            loss, distance = loss_of(network(views), detected, true)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            distances.append(float(distance))
        print(
            f"epoch {epoch + 1}/{epochs}: {np.mean(distances):.2f} mm off, {time.monotonic() - begin:.0f} s", flush=True
        )
    return network.eval()


def write_onnx(network: LandmarkNetwork, path: Path) -> None:
    """As what OpenCV reads."""
    torch.onnx.export(network, (torch.zeros(1, 2, *SIZE),), str(path), dynamo=False, input_names=["view"])
