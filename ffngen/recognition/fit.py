"""Training a classifier on some subjects, and asking it about another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ffngen.metrics.recognition import class_f1, confusion_matrix
from ffngen.recognition.classifier import ClassifierSettings
from ffngen.recognition.features import Features
from ffngen.seeds import derive_seed

#: The largest shift of augmentation, in shares of the square: MMNet's 15 of 224 pixels.
_SHIFT = 15 / 224


class Protocol(StrEnum):
    """Which epoch's predictions count.

    ``last`` is the last one, whatever the test subject says. ``published`` is, as in MMNet's code, the one that is best
    on the test subject itself (most right, then the highest F1): an optimistic figure, which no unseen person gives.
    (That code goes further: accuracy and F1 are each taken from the epoch that is best for it.)
    """

    LAST = "last"
    PUBLISHED = "published"


#: What is said of figures of :attr:`Protocol.PUBLISHED`.
OPTIMISTIC = "optimistic: the epoch is chosen on the test subject"


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a classifier says of a fold's test samples.

    :param probabilities: (N, C) float64, rows add up to 1.
    :param epoch: of the predictions, counted from 1.
    """

    probabilities: NDArray[np.float64]
    epoch: int


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Means and deviations (1, 3, 1, 1) of planes, over training samples alone."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, training: Tensor) -> Normalisation:
        """Those of training samples (N, 3, S, S)."""
        # Plane by plane: all of them as float64 would take twice the samples' memory again.
        pairs = [torch.std_mean(training[:, i].double(), correction=0) for i in range(training.shape[1])]
        deviation, mean = (torch.stack(values).float()[None, :, None, None] for values in zip(*pairs, strict=True))
        return cls(mean, deviation.clamp_min(1e-8))

    def __call__(self, planes: Tensor) -> Tensor:
        """Planes of zero mean and unit deviation over the training samples."""
        return (planes - self.mean) / self.deviation


def train_and_predict(
    features: Features,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    classes: int,
    settings: ClassifierSettings,
    *,
    seed: int,
    name: str,
    protocol: Protocol = Protocol.LAST,
    device: str = "cpu",
) -> Prediction:
    """Train a new classifier on some samples, and predict others.

    Nothing of the test samples is used but under :attr:`Protocol.PUBLISHED`, which chooses the epoch by them. The same
    seed and name give the same predictions on one machine.

    :param train: places of the training samples in the features.
    :param test: places of the test samples.
    :param name: of the fold, which its random numbers depend on.
    """
    with _seeded(derive_seed(seed, "recognition", name), device):
        network = settings.build(classes).to(device)
        motion, faces = (torch.from_numpy(array).to(device) for array in (features.motion, features.faces))
        labels = torch.from_numpy(features.labels).to(device)
        normalise = [Normalisation.of(planes[train]) for planes in (motion, faces)]
        tested = [n(planes[test]) for n, planes in zip(normalise, (motion, faces), strict=True)]
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, settings.decay)
        best: tuple[tuple[float, float], Prediction] | None = None
        for epoch in range(1, settings.epochs + 1):
            network.train()
            for chosen in _batches(train, settings.batch):
                planes = (motion[chosen], faces[chosen])
                if settings.augment:
                    planes = _augmented(*planes)
                logits = network(*(n(p) for n, p in zip(normalise, planes, strict=True)))
                loss = F.cross_entropy(logits, labels[chosen])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()
            if protocol is Protocol.PUBLISHED:
                found = Prediction(_probabilities(network, tested), epoch)
                rank = _rank(found, features.labels[test], classes)
                if best is None or rank > best[0]:
                    best = rank, found
        return Prediction(_probabilities(network, tested), settings.epochs) if best is None else best[1]


def _rank(prediction: Prediction, true: NDArray[np.int64], classes: int) -> tuple[float, float]:
    """How good a prediction is on its own test samples: right ones, then mean F1."""
    predicted = prediction.probabilities.argmax(axis=1)
    f1 = class_f1(confusion_matrix(true, predicted, classes))
    return float((predicted == true).sum()), float(np.nanmean(f1))


def _batches(train: NDArray[np.intp], batch: int) -> Iterator[Tensor]:
    """The training samples in random order; the last two batches share what is left, as batch norm needs several."""
    order = torch.from_numpy(train)[torch.randperm(len(train))]
    count = max(1, round(len(train) / batch))
    yield from torch.tensor_split(order, count)


def _probabilities(network: nn.Module, planes: list[Tensor]) -> NDArray[np.float64]:
    network.eval()
    with torch.inference_mode():
        logits: Any = network(*planes)
        return np.asarray(torch.softmax(logits.double(), dim=1).cpu().numpy())


def _augmented(motion: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror half of the samples (u changes its sign), and shift the motion of each."""
    mirror = (torch.rand(len(motion)) < 0.5).to(motion.device)[:, None, None, None]
    sign = torch.tensor([-1.0, 1.0, 1.0], device=motion.device)[None, :, None, None]
    motion = torch.where(mirror, motion.flip(-1) * sign, motion)
    faces = torch.where(mirror, faces.flip(-1), faces)
    reach = round(_SHIFT * motion.shape[-1])
    padded = F.pad(motion, (reach,) * 4)
    size = motion.shape[-1]
    starts = torch.randint(0, 2 * reach + 1, (len(motion), 2)).tolist()
    shifted = [p[:, y : y + size, x : x + size] for p, (y, x) in zip(padded, starts, strict=True)]
    return torch.stack(shifted), faces


@contextmanager
def _seeded(seed: int, device: str) -> Iterator[None]:
    """One thread, and PyTorch's own generators, which dropout draws from, at a seed; afterwards all is as before."""
    devices = [torch.device(device)] if device.startswith("cuda") else []
    deterministic = torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False)
    with torch.random.fork_rng(devices=devices), deterministic:
        torch.manual_seed(seed)
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
