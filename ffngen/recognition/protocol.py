"""A classifier's word on every sample, each time from one that has not seen the subject."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ffngen.atomic import read_bounded, write_atomic
from ffngen.errors import FfngenError
from ffngen.recognition.classifier import ClassifierSettings
from ffngen.recognition.features import Features
from ffngen.recognition.fit import Prediction, Protocol, train_and_predict
from ffngen.recognition.folds import leave_one_subject_out

#: The name of what is right without looking.
MOST_FREQUENT = "most frequent class"

_MAX_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a classifier says of every sample, each time not having seen its subject.

    :param name: of the line of the tables.
    :param details: what else to say of it.
    :param probabilities: (R, N, C) float64: for each of R seeds.
    :param epochs: (R, S) int64: whose predictions they are, for each of S subjects in order.
    """

    name: str
    details: dict[str, str]
    probabilities: NDArray[np.float64]
    epochs: NDArray[np.int64]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(R, N): the most probable class."""
        return self.probabilities.argmax(axis=-1).astype(np.int64)


@dataclass(frozen=True)
class FoldStore:
    """Folds that are done, one file each, by all that decides them: a run that was stopped goes on where it was."""

    folder: Path

    def place(self, record: dict[str, Any], subject: str) -> Path:
        """The file of a fold of a run that a JSON-ready record tells of."""
        digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]
        return self.folder / digest / f"{subject.replace('/', '_')}.json"

    def read(self, place: Path, samples: int, classes: int) -> Prediction | None:
        """A fold's prediction; None where it is not done, or its file is damaged."""
        try:
            content = json.loads(read_bounded(place, _MAX_BYTES))
            found = Prediction(np.array(content["probabilities"], dtype=np.float64), int(content["epoch"]))
        except (FfngenError, ValueError, KeyError, TypeError):
            return None
        return found if found.probabilities.shape == (samples, classes) else None

    def write(self, place: Path, prediction: Prediction) -> None:
        """Keep a fold's prediction."""
        place.parent.mkdir(parents=True, exist_ok=True)
        content = {"epoch": prediction.epoch, "probabilities": prediction.probabilities.tolist()}
        write_atomic(place, json.dumps(content).encode())


def recognise(
    features: Features,
    classes: int,
    settings: ClassifierSettings,
    *,
    name: str,
    details: dict[str, str] | None = None,
    seeds: int = 1,
    protocol: Protocol = Protocol.LAST,
    device: str = "cpu",
    store: FoldStore | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Train and ask a classifier for every subject and seed.

    :param seeds: so many runs, with the seeds 0, 1, ...
    :param store: where folds that are done are kept.
    """
    folds = leave_one_subject_out(features.people)
    probabilities = np.empty((seeds, len(features.labels), classes))
    epochs = np.empty((seeds, len(folds)), dtype=np.int64)
    digest = features.digest() if store is not None else ""
    for seed in range(seeds):
        record = {
            "features": digest,
            "settings": asdict(settings),
            "classes": classes,
            "seed": seed,
            "protocol": protocol.value,
            "device": device.partition(":")[0],
            "torch": torch.__version__,
        }
        for place, fold in enumerate(folds):
            path = None if store is None else store.place(record, fold.subject)
            found = None if store is None or path is None else store.read(path, len(fold.test), classes)
            if found is None:
                found = train_and_predict(
                    features,
                    fold.train,
                    fold.test,
                    classes,
                    settings,
                    seed=seed,
                    name=fold.subject,
                    protocol=protocol,
                    device=device,
                )
                if store is not None and path is not None:
                    store.write(path, found)
            probabilities[seed, fold.test] = found.probabilities
            epochs[seed, place] = found.epoch
            progress(seed * len(folds) + place + 1, seeds * len(folds))
    return Outcome(name, details or {}, probabilities, epochs)


def most_frequent(features: Features, classes: int) -> Outcome:
    """What is right without looking: every sample is taken for the class that most training samples have."""
    folds = leave_one_subject_out(features.people)
    probabilities = np.zeros((1, len(features.labels), classes))
    for fold in folds:
        counts = np.bincount(features.labels[fold.train], minlength=classes)
        probabilities[0, fold.test, int(counts.argmax())] = 1
    return Outcome(MOST_FREQUENT, {}, probabilities, np.zeros((1, len(folds)), dtype=np.int64))
