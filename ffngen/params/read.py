"""Parameter sets from whatever a tracker wrote, known by its content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ffngen.errors import InputFileError, JobError
from ffngen.params.deca import read_deca
from ffngen.params.emoca import read_emoca
from ffngen.params.gaussian_avatars import has_ambiguous_cameras, read_gaussian_avatars
from ffngen.params.insta import read_insta
from ffngen.params.livelink import read_livelink
from ffngen.params.mediapipe import read_mediapipe
from ffngen.params.metrical_tracker import read_metrical_tracker
from ffngen.params.mica import read_mica
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.smirk import read_smirk
from ffngen.params.table import read_table

#: Reader of one tracker's output: the sets in a file or folder, or none where the content is not the tracker's.
Reader = Callable[[Path], list[ParameterSet]]


@dataclass(frozen=True)
class ParameterFormat:
    """What one tracker writes.

    :param name: as ``--params-format`` takes it.
    :param looks: what its files are, for messages.
    :param read: its reader.
    :param must_be_named: it cannot be told from another format by its content, so that it is never tried unasked.
    :param refuse_unnamed: raises where some content of this format cannot be told from another's; called before
        ``read`` when no format is named.
    :param known_by_suffix: its files are found without opening others, so that they are looked for beside any format.
    """

    name: str
    looks: str
    read: Reader
    must_be_named: bool = False
    refuse_unnamed: Callable[[Path], None] | None = None
    known_by_suffix: bool = False


def _refuse_unknown_cameras(path: Path) -> None:
    cameras = has_ambiguous_cameras(path)
    if cameras is not None:
        raise InputFileError(
            "its cameras may be INSTA's or GaussianAvatars', which look the same and differ",
            where=cameras,
            mend="say which with --params-format insta or --params-format gaussian-avatars",
        )


#: All that are read, in the order in which they are tried.
FORMATS: tuple[ParameterFormat, ...] = (
    ParameterFormat("table", "a .parquet table of ffngen params import", read_table),
    ParameterFormat("emoca", "EMOCA folders (shape.npy, exp.npy, pose.npy)", read_emoca),
    ParameterFormat(
        "gaussian-avatars",
        "VHAP's or GaussianAvatars' flame_param/00000.npz or tracked_flame_params_30.npz",
        read_gaussian_avatars,
        refuse_unnamed=_refuse_unknown_cameras,
    ),
    ParameterFormat("insta", "INSTA datasets (transforms.json, flame, checkpoint)", read_insta, must_be_named=True),
    ParameterFormat(
        "metrical-tracker",
        "metrical-tracker's or Pixel3DMM's checkpoint/00001.frame",
        read_metrical_tracker,
        known_by_suffix=True,
    ),
    ParameterFormat("mica", "MICA folders (identity.npy)", read_mica),
    ParameterFormat("livelink", "a Live Link Face recording (.csv)", read_livelink, known_by_suffix=True),
    ParameterFormat(
        "mediapipe", "results of MediaPipe's Face Landmarker (.json, .jsonl)", read_mediapipe, known_by_suffix=True
    ),
    # These open every file that may hold a dict of arrays.
    ParameterFormat("smirk", "SMIRK's codes in .npz, .npy, .pkl, .pt or .mat", read_smirk),
    ParameterFormat("deca", "DECA's codes in .npz, .npy, .pkl, .pt or .mat", read_deca),
)


def read_parameter_sets(path: str | Path, params_format: str | None = None) -> list[ParameterSet]:
    """All parameter sets in a file or below a folder, in a fixed order; at least one.

    :param params_format: the name of one of :data:`FORMATS`; found out by content when absent.
    :raises InputFileError: for a path that is missing, that holds nothing that is supported, or whose
        files are damaged.
    :raises JobError: for an unknown format.
    """
    path = Path(path)
    names = [known.name for known in FORMATS]
    if params_format is not None and params_format not in names:
        mend = f"use one of {', '.join(names)}"
        raise JobError(f"unknown format of parameters {params_format[:40]!r}", where="params_format", mend=mend)
    try:
        there = path.exists()
    except OSError as error:
        raise InputFileError(f"cannot be read ({error.strerror})", where=path, mend=f"give {_supported()}") from error
    if not there:
        raise InputFileError("is missing", where=path, mend=f"give {_supported()}")
    for known in FORMATS:
        if params_format == known.name or (params_format is None and not known.must_be_named):
            if params_format is None and known.refuse_unnamed is not None:
                known.refuse_unnamed(path)
            sets = known.read(path)
            if sets:
                if params_format is None:
                    _refuse_mixture(path, known)
                return sets
    if params_format is not None:
        (looks,) = (known.looks for known in FORMATS if known.name == params_format)
        raise InputFileError(f"holds no parameters of the format {params_format}", where=path, mend=f"give {looks}")
    raise InputFileError("holds no parameters that are known", where=path, mend=f"give {_supported()}")


def _refuse_mixture(path: Path, found: ParameterFormat) -> None:
    """Of a folder with recordings beside other trackers' files, one kind would be left out without a word."""
    if not path.is_dir():
        return
    for other in FORMATS[FORMATS.index(found) + 1 :]:
        if other.known_by_suffix and other.read(path):
            mend = f"name one with --params-format {found.name} or {other.name}, or give folders of their own"
            raise InputFileError(
                f"holds parameters of two formats, {found.name} and {other.name}", where=path, mend=mend
            )


def _supported() -> str:
    return " or ".join(known.looks for known in FORMATS)
