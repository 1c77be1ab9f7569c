"""A recognition run: flows, features, folds and scores of several sources of flow, over the same people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ffngen.errors import JobError
from ffngen.recognition.classifier import ClassifierSettings
from ffngen.recognition.features import Features, make_features
from ffngen.recognition.fit import Protocol
from ffngen.recognition.flows import FlowKeeper, FlowSource, GivenFlows, Pictures
from ffngen.recognition.pictures import picture_name
from ffngen.recognition.protocol import most_frequent, recognise
from ffngen.recognition.sample import Sample
from ffngen.recognition.summary import Judged, judge

#: Of what is done, how much of how much.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class RunSettings:
    """What is asked for, beside samples and sources.

    :param classes: how many.
    :param folder: where folds that are done are kept.
    :param workers: trainings at once, on the CPU.
    """

    classifier: ClassifierSettings
    classes: int
    seeds: int
    protocol: Protocol
    device: str
    folder: Path
    workers: int = 1


def make_sources(
    keepers: Sequence[FlowKeeper],
    given: Sequence[GivenFlows],
    kinds: Sequence[str],
    samples: Sequence[Sample],
    progress: Progress = lambda what, done, total: None,
) -> list[FlowSource]:
    """The sources of flow, in the order of the tables, with every estimated flow estimated.

    :param kinds: the flows that are wanted of estimators; those that one does not give are left out.
    :raises FfngenError: no flow of an estimator is wanted, two sources have one name, or a sample is at fault.
    """
    # Before hours are spent on estimating.
    _refuse_twins([*(source.name for source in given), *(keeper.estimator.name for keeper in keepers)])
    for source in given:
        for sample in samples:
            source.find(sample)
    sources: list[FlowSource] = list(given)
    for keeper in keepers:
        name = keeper.estimator.name
        keeper.prepare(samples, lambda done, total, name=name: progress(f"flow of {name}", done, total))  # type: ignore[misc]
        found = keeper.sources(kinds)
        if not found:
            has = ", ".join(keeper.kinds())
            raise JobError(f"{name} gives no {' or '.join(kinds)} flow", where="--flow", mend=f"it gives {has}")
        sources += found
    _refuse_twins([source.name for source in sources])
    return sources


def _refuse_twins(names: Sequence[str]) -> None:
    files = [picture_name(name) for name in names]
    for name, file in zip(names, files, strict=True):
        if files.count(file) > 1:
            mend = "rename a NAME of --flows, or the folder of a checkpoint"
            raise JobError(f"two sources of flow have one name, {name[:60]}", where="command line", mend=mend)


def run_recognition(
    samples: Sequence[Sample],
    labels: Sequence[int],
    sources: Sequence[FlowSource],
    pictures: Pictures,
    settings: RunSettings,
    progress: Progress = lambda what, done, total: None,
) -> tuple[list[Judged], Features]:
    """Recognise all samples from each source's flow, leaving one subject out.

    :returns: scores of each source, after those of the most frequent class; and the features of the last source.
    :raises FfngenError: a flow or an image cannot be had.
    """
    judged: list[Judged] = []
    features: Features | None = None
    for source in sources:
        name = source.name
        features = make_features(
            samples,
            labels,
            source,
            pictures,
            size=settings.classifier.size,
            face_size=settings.classifier.face_size,
            progress=lambda done, total, name=name: progress(f"reading {name}", done, total),  # type: ignore[misc]
        )
        if not judged:
            judged.append(judge(most_frequent(features, settings.classes), features, settings.classes))
        outcome = recognise(
            features,
            settings.classes,
            settings.classifier,
            name=name,
            details=source.details,
            seeds=settings.seeds,
            protocol=settings.protocol,
            device=settings.device,
            folder=settings.folder,
            workers=settings.workers,
            progress=lambda done, total, name=name: progress(f"training on {name}", done, total),  # type: ignore[misc]
        )
        judged.append(judge(outcome, features, settings.classes))
    assert features is not None
    return judged, features
