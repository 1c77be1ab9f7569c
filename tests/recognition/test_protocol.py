"""Leave one subject out: nothing of the one who is left out may reach the training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ffngen.recognition import leave_one_subject_out
from ffngen.recognition.classifier import Classifier, ClassifierSettings, classifier_settings
from ffngen.recognition.features import Features
from ffngen.recognition.fit import Normalisation, Protocol, _augmented, _batches, train_and_predict
from ffngen.recognition.protocol import MOST_FREQUENT, most_frequent, recognise

SUBJECTS, CLIPS, LEAKED = 6, 6, 3


@pytest.fixture(scope="module")
def settings() -> ClassifierSettings:
    return classifier_settings("ststnet", epochs=30, learning_rate=1e-2, augment=False)


def features_of(motion: np.ndarray, labels: np.ndarray, people: list[str]) -> Features:
    faces = np.zeros((len(labels), 3, 14, 14), np.float32)
    keys = tuple(f"{person}/{i}" for i, person in enumerate(people))
    return Features(motion.astype(np.float32), faces, labels.astype(np.int64), tuple(people), keys)


def people() -> list[str]:
    return [f"set/s{i // CLIPS}" for i in range(SUBJECTS * CLIPS)]


@pytest.fixture(scope="module")
def identities() -> Features:
    """Each picture tells who it is of, and each person has one label: what is learned of people says nothing of new
    ones, and everything of those who were seen."""
    rng = np.random.default_rng(0)
    faces = rng.normal(size=(SUBJECTS, 3, 28, 28))
    motion = np.repeat(faces, CLIPS, axis=0) + 0.05 * rng.normal(size=(SUBJECTS * CLIPS, 3, 28, 28))
    return features_of(motion, np.repeat(rng.permutation(SUBJECTS) % 2, CLIPS), people())


@pytest.fixture(scope="module")
def emotions() -> Features:
    """The label is to be seen in each picture, whoever it is of."""
    rng = np.random.default_rng(1)
    labels = np.arange(SUBJECTS * CLIPS) % 3
    motion = rng.normal(size=(len(labels), 3, 28, 28))
    motion[np.arange(len(labels)), :, 4:12, 4:12] += np.where(labels == 0, 2, 0)[:, None, None, None]
    motion[np.arange(len(labels)), :, 16:24, 16:24] += np.where(labels == 1, 2, 0)[:, None, None, None]
    return features_of(motion, labels, people())


def accuracy(features: Features, outcome: object) -> float:
    return float((outcome.predicted == features.labels).mean())  # type: ignore[attr-defined]


def test_folds() -> None:
    folds = leave_one_subject_out(["b/2", "a/1", "b/1", "a/1", "b/2"])
    assert [fold.subject for fold in folds] == ["a/1", "b/1", "b/2"]
    for fold in folds:
        assert not set(fold.train) & set(fold.test)
        assert sorted([*fold.train, *fold.test]) == [0, 1, 2, 3, 4]
    # Sets that share a subject's name have two people of it.
    assert folds[0].test.tolist() == [1, 3]
    assert folds[1].test.tolist() == [2]


def test_identity_is_of_no_use_unless_a_subject_leaks(identities: Features, settings: ClassifierSettings) -> None:
    assert accuracy(identities, recognise(identities, 2, settings, name="x")) < 0.75
    # The same with clips of the test subject among the training samples: the leak is seen.
    right = 0
    for fold in leave_one_subject_out(identities.people):
        train, test = np.append(fold.train, fold.test[:LEAKED]), fold.test[LEAKED:]
        found = train_and_predict(identities, train, test, 2, settings, seed=0, name=fold.subject)
        right += int((found.probabilities.argmax(1) == identities.labels[test]).sum())
    assert right / (SUBJECTS * (CLIPS - LEAKED)) > 0.9


def test_what_is_learned_does_not_depend_on_the_test_subject(emotions: Features, settings: ClassifierSettings) -> None:
    """Other pictures and labels of the test subject change neither statistics nor weights.

    The first of them stays as it is, and what is said of it must stay the same too.
    """
    fold = leave_one_subject_out(emotions.people)[3]
    kwargs = {"classes": 3, "settings": replace(settings, augment=True), "seed": 0, "name": fold.subject}
    first = train_and_predict(emotions, fold.train, fold.test, **kwargs)
    motion, labels = emotions.motion.copy(), emotions.labels.copy()
    motion[fold.test[1:]] = 1e6
    labels[fold.test] = (labels[fold.test] + 1) % 3
    other = train_and_predict(replace(emotions, motion=motion, labels=labels), fold.train, fold.test, **kwargs)
    np.testing.assert_array_equal(other.probabilities[0], first.probabilities[0])


def test_a_label_that_is_seen_is_learned(emotions: Features, settings: ClassifierSettings) -> None:
    outcome = recognise(emotions, 3, settings, name="x", seeds=2)
    assert accuracy(emotions, outcome) > 0.9
    assert outcome.probabilities.shape == (2, SUBJECTS * CLIPS, 3)
    np.testing.assert_allclose(outcome.probabilities.sum(-1), 1)
    assert (outcome.epochs == 30).all()


def test_published_protocol_is_optimistic(identities: Features, settings: ClassifierSettings) -> None:
    """The epoch that is best on the test subject is at least as right as the last one, though nothing is learned."""
    last = recognise(identities, 2, settings, name="x")
    best = recognise(identities, 2, settings, name="x", protocol=Protocol.PUBLISHED)
    assert accuracy(identities, best) >= accuracy(identities, last)
    assert (best.epochs <= 30).all()
    assert len(set(best.epochs.ravel().tolist())) > 1


def test_deterministic(emotions: Features) -> None:
    settings = classifier_settings("ststnet", epochs=3)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, again = (recognise(emotions, 3, settings, name="x", seeds=2) for _ in range(2))
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    assert not np.array_equal(first.probabilities[0], first.probabilities[1])
    assert torch.equal(torch.get_rng_state(), state)


def test_goes_on_fold_by_fold(emotions: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ffngen.recognition.workers as workers

    settings = classifier_settings("ststnet", epochs=2)
    whole = recognise(emotions, 3, settings, name="x", seeds=2)
    trained: list[str] = []

    def counting(*args: object, **kwargs: object) -> object:
        if len(trained) == 5:
            raise KeyboardInterrupt
        trained.append(str(kwargs["name"]))
        return train_and_predict(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(workers, "train_and_predict", counting)
    store = tmp_path / "folds"
    with pytest.raises(KeyboardInterrupt):
        recognise(emotions, 3, settings, name="x", seeds=2, folder=store)
    files = sorted((tmp_path / "folds").rglob("*.json"))
    assert len(files) == 5
    files[0].write_text("{")
    trained.clear()
    monkeypatch.setattr(workers, "train_and_predict", lambda *a, **k: trained.append("") or train_and_predict(*a, **k))
    outcome = recognise(emotions, 3, settings, name="x", seeds=2, folder=store)
    assert len(trained) == 2 * SUBJECTS - 4
    np.testing.assert_array_equal(outcome.probabilities, whole.probabilities)
    # Other settings, labels or pictures are other folds.
    for changed in (replace(emotions, labels=2 - emotions.labels), replace(emotions, motion=2 * emotions.motion)):
        trained.clear()
        recognise(changed, 3, settings, name="x", folder=store)
        assert len(trained) == SUBJECTS


def test_processes_change_nothing(emotions: Features) -> None:
    settings = classifier_settings("ststnet", epochs=2)
    first = recognise(emotions, 3, settings, name="x")
    done: list[int] = []
    second = recognise(emotions, 3, settings, name="x", workers=2, progress=lambda n, total: done.append(n))
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    assert done == list(range(SUBJECTS + 1))


def test_normalisation() -> None:
    planes = torch.randn(9, 3, 5, 5) * torch.tensor([1.0, 5.0, 0.0])[None, :, None, None] + 3
    found = Normalisation.of(planes)(planes)
    torch.testing.assert_close(found.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std((0, 2, 3), correction=0)[:2], torch.ones(2))


def test_mirrored_motion_points_the_other_way() -> None:
    torch.manual_seed(0)
    motion = torch.zeros(64, 3, 28, 28)
    motion[:, 0, 14, 6], motion[:, 1, 14, 6], motion[:, 2, 14, 6] = 1.0, 2.0, 3.0
    faces = torch.zeros(64, 3, 14, 14)
    faces[..., 0] = 1
    moved, mirrored_faces = _augmented(motion, faces)
    mirrored = moved[:, 0].amin((1, 2)) < 0
    assert 16 < int(mirrored.sum()) < 48
    for sample, face, is_mirrored in zip(moved, mirrored_faces, mirrored, strict=True):
        row, column = (int(i) for i in (sample[1] == 2).nonzero()[0])
        assert abs(row - 14) <= 2
        assert abs(column - (21 if is_mirrored else 6)) <= 2
        assert sample[0, row, column] == (-1 if is_mirrored else 1)
        assert sample[2, row, column] == 3
        assert face[0, 0, 13 if is_mirrored else 0] == 1


def test_batches_are_of_like_size() -> None:
    for count in (2, 31, 33, 47, 65, 100):
        batches = list(_batches(np.arange(count) * 2, 32))
        assert sorted(torch.cat(batches).tolist()) == list(range(0, 2 * count, 2))
        assert max(map(len, batches)) - min(map(len, batches)) <= 1
        assert min(map(len, batches)) > 1


def test_most_frequent(emotions: Features) -> None:
    labels = np.zeros(SUBJECTS * CLIPS, np.int64)
    labels[: 2 * CLIPS] = 1
    outcome = most_frequent(replace(emotions, labels=labels), 3)
    assert outcome.name == MOST_FREQUENT
    assert not outcome.predicted.any()


def test_mmnet_trains(tmp_path: Path) -> None:
    settings = replace(classifier_settings(Classifier.MMNET, epochs=1), width=0.03, batch=4)
    rng = np.random.default_rng(0)
    features = Features(
        rng.normal(size=(6, 3, 224, 224)).astype(np.float32),
        rng.random((6, 3, 14, 14)).astype(np.float32),
        np.arange(6) % 2,
        ("a/1", "a/1", "a/1", "a/2", "a/2", "a/2"),
        tuple("abcdef"),
    )
    outcome = recognise(features, 2, settings, name="x", folder=tmp_path)
    assert np.isfinite(outcome.probabilities).all()
