"""Any micro-expression set, by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ffngen.errors import InputFileError, JobError
from ffngen.recognition import casme2, megc2019, mmew, samm, smic
from ffngen.recognition.annotated import ReadOptions
from ffngen.recognition.sample import SampleSet

_READERS: Mapping[str, Callable[[Path, ReadOptions], SampleSet]] = {
    casme2.NAME: casme2.read_casme2,
    samm.NAME: samm.read_samm,
    smic.NAME: smic.read_smic,
    mmew.NAME: mmew.read_mmew,
}

#: The sets that are read.
DATASETS = (*_READERS, megc2019.NAME)


def read_samples(
    path: str | Path,
    dataset: str = casme2.NAME,
    options: ReadOptions | None = None,
    parts: Mapping[str, Path] | None = None,
) -> SampleSet:
    """The samples of a micro-expression set.

    :param path: the set's folder; the composite's table for ``megc2019``.
    :param dataset: one of :data:`DATASETS`, which names the layout.
    :param parts: for ``megc2019``: its sets' folders, by name.
    :raises InputFileError: the set is not there, or at fault; the message names file and row.
    """
    options = options or ReadOptions()
    parts = parts or {}
    if dataset == megc2019.NAME:
        if not parts:
            raise JobError("the composite needs its sets", where="--part", mend="use --part casme2=FOLDER")
        found = megc2019.read_megc2019(Path(path), parts, options)
    elif dataset in _READERS:
        if parts:
            raise JobError(f"is for {megc2019.NAME} alone", where="--part", mend="leave it out")
        found = _READERS[dataset](Path(path), options)
    else:
        raise JobError(f"unknown set {dataset[:40]!r}", where="--dataset", mend=f"known are {', '.join(DATASETS)}")
    if not found.samples:
        raise InputFileError("no sample is left", where=path, mend="see the rules in ffngen mer --help")
    return found
