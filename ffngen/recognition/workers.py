"""Folds trained one after another, or side by side in processes of their own.

A training computes with one thread, so that its result does not depend on how many cores there are: the networks are
small, and cores are better used by several folds at once.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, get_context

from ffngen.errors import FfngenError
from ffngen.recognition.classifier import ClassifierSettings
from ffngen.recognition.features import Features
from ffngen.recognition.fit import Prediction, Protocol, train_and_predict
from ffngen.recognition.folds import Fold


@dataclass(frozen=True)
class Training:
    """What all trainings of a run share."""

    classes: int
    settings: ClassifierSettings
    protocol: Protocol
    device: str


@dataclass(frozen=True, eq=False)
class Task:
    """One training: a seed, and the fold with its place among all folds."""

    seed: int
    place: int
    fold: Fold


def train_folds(
    features: Features, tasks: Sequence[Task], training: Training, workers: int
) -> Iterator[tuple[Task, Prediction]]:
    """Each task with its prediction, in the order in which they get done.

    :param workers: processes at most; a GPU takes one training at a time.
    :raises FfngenError: a process died.
    """
    workers = min(workers, len(tasks)) if training.device == "cpu" else 1
    if workers <= 1:
        for task in tasks:
            yield task, _train(features, task, training)
        return
    others = set(active_children())
    # A new process knows nothing of this one's threads, such as a progress bar's.
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (features, training, os.getpid())) as pool:
        futures = {pool.submit(_train_shared, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            mend = "it may be memory: run again with fewer --workers; what is done is kept"
            raise FfngenError("a training's process died", mend=mend) from error
        except BaseException:
            # Workers write nothing: they need not be waited for.
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(active_children()) - others:
                child.terminate()
            raise


def _train(features: Features, task: Task, training: Training) -> Prediction:
    return train_and_predict(
        features,
        task.fold.train,
        task.fold.test,
        training.classes,
        training.settings,
        seed=task.seed,
        name=task.fold.subject,
        protocol=training.protocol,
        device=training.device,
    )


#: A worker's share: sent once, as it is much larger than a task.
_shared: tuple[Features, Training] | None = None


def _begin(features: Features, training: Training, parent: int) -> None:
    global _shared
    # A terminal sends Ctrl-C to the whole group; the parent decides what to do about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _shared = features, training


def _end_with(parent: int) -> None:
    """End this process when its parent is killed; it would wait for more to do for ever."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _train_shared(task: Task) -> Prediction:
    assert _shared is not None
    return _train(_shared[0], task, _shared[1])
