"""CPU seconds of one fold of each classifier on a set of CASME II's size: 236 training samples, 10 test samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from _measure import Stopwatch

from ffngen.recognition.classifier import Classifier, classifier_settings
from ffngen.recognition.features import Features
from ffngen.recognition.fit import train_and_predict

SAMPLES, TEST, CLASSES = 246, 10, 5
#: So many epochs are measured; every epoch costs the same.
MEASURED = {Classifier.STSTNET: 20, Classifier.MMNET: 1}


def main() -> None:
    """Print the seconds."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, SAMPLES)
    names = tuple(map(str, range(SAMPLES)))
    places = np.arange(SAMPLES)
    for classifier, epochs in MEASURED.items():
        settings = classifier_settings(classifier)
        motion = rng.normal(size=(SAMPLES, 3, settings.size, settings.size)).astype(np.float32)
        faces = rng.random((SAMPLES, 3, settings.face_size, settings.face_size)).astype(np.float32)
        features = Features(motion, faces, labels, names, names)
        fewer = replace(settings, epochs=epochs)
        with Stopwatch() as watch:
            train_and_predict(features, places[TEST:], places[:TEST], CLASSES, fewer, seed=0, name="bench")
        print(f"{classifier}: {watch.cpu / epochs * settings.epochs:.1f} CPU s per fold of {settings.epochs} epochs")


if __name__ == "__main__":
    main()
