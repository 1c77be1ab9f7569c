"""A classifier's word on every sample, each time from one that has not seen the subject."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ffngen.atomic import read_bounded, write_atomic
from ffngen.errors import FfngenError
from ffngen.recognition.classifier import ClassifierSettings
from ffngen.recognition.features import Features
from ffngen.recognition.fit import Prediction, Protocol
from ffngen.recognition.folds import leave_one_subject_out
from ffngen.recognition.workers import Task, Training, train_folds

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


class FoldStore:
    """Folds that are done, one file each, by all that decides them: a run that was stopped goes on where it was.

    :param folder: made when first written to.
    """

    def __init__(self, folder: Path, features: Features, training: Training) -> None:
        self._folder = folder
        self._classes = training.classes
        self._record = {
            "features": features.digest(),
            "settings": asdict(training.settings),
            "classes": training.classes,
            "protocol": training.protocol.value,
            "device": training.device.partition(":")[0],
            "torch": torch.__version__,
        }

    def read(self, task: Task) -> Prediction | None:
        """A fold's prediction; None where it is not done, or its file is damaged."""
        try:
            content = json.loads(read_bounded(self._place(task), _MAX_BYTES))
            found = Prediction(np.array(content["probabilities"], dtype=np.float64), int(content["epoch"]))
        except (FfngenError, ValueError, KeyError, TypeError):
            return None
        return found if found.probabilities.shape == (len(task.fold.test), self._classes) else None

    def write(self, task: Task, prediction: Prediction) -> None:
        """Keep a fold's prediction."""
        place = self._place(task)
        place.parent.mkdir(parents=True, exist_ok=True)
        content = {"epoch": prediction.epoch, "probabilities": prediction.probabilities.tolist()}
        write_atomic(place, json.dumps(content).encode())

    def _place(self, task: Task) -> Path:
        text = json.dumps({**self._record, "seed": task.seed}, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._folder / digest / f"{task.fold.subject.replace('/', '_')}.json"


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
    folder: Path | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Train and ask a classifier for every subject and seed.

    :param seeds: so many runs, with the seeds 0, 1, ...
    :param folder: where folds that are done are kept.
    :param workers: trainings at once, on the CPU. Their processes import the program that calls this: in a script of
        one's own, call it below ``if __name__ == "__main__":`` where that is more than 1.
    """
    folds = leave_one_subject_out(features.people)
    probabilities = np.empty((seeds, len(features.labels), classes))
    epochs = np.empty((seeds, len(folds)), dtype=np.int64)
    training = Training(classes, settings, protocol, device)
    store = None if folder is None else FoldStore(folder, features, training)
    tasks = []

    def take(task: Task, prediction: Prediction) -> None:
        probabilities[task.seed, task.fold.test] = prediction.probabilities
        epochs[task.seed, task.place] = prediction.epoch

    for task in (Task(seed, place, fold) for seed in range(seeds) for place, fold in enumerate(folds)):
        found = store.read(task) if store is not None else None
        if found is None:
            tasks.append(task)
        else:
            take(task, found)
    total = seeds * len(folds)
    progress(total - len(tasks), total)
    for done, (task, prediction) in enumerate(train_folds(features, tasks, training, workers), 1):
        if store is not None:
            store.write(task, prediction)
        take(task, prediction)
        progress(total - len(tasks) + done, total)
    return Outcome(name, details or {}, probabilities, epochs)


def most_frequent(features: Features, classes: int) -> Outcome:
    """What is right without looking: every sample is taken for the class that most training samples have."""
    folds = leave_one_subject_out(features.people)
    probabilities = np.zeros((1, len(features.labels), classes))
    for fold in folds:
        counts = np.bincount(features.labels[fold.train], minlength=classes)
        probabilities[0, fold.test, int(counts.argmax())] = 1
    return Outcome(MOST_FREQUENT, {}, probabilities, np.zeros((1, len(folds)), dtype=np.int64))
