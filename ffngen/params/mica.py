"""Parameter sets from MICA's identities.

MICA's ``demo.py`` writes one folder per photo with identity.npy (300 coefficients of FLAME 2020), beside meshes and
landmarks that are not needed. It estimates who somebody is and nothing else: expression and pose stay at rest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ffngen.params.parameter_set import ParameterSet
from ffngen.params.places import emotion_of, find_files, identity_of, text
from ffngen.params.vectors import read_vector

#: The coefficients of FLAME's own expression basis; MICA has none.
_EXPRESSION_SIZE = 50


def read_mica(path: Path) -> list[ParameterSet]:
    """The parameter sets of one MICA folder or its identity.npy, or of all below a folder.

    The identity is the folder's path below ``path``.

    :returns: sorted by path; empty where there is no identity.npy.
    :raises InputFileError: for a damaged identity.npy, or a link that leads out of ``path``.
    """
    return [_read_file(file, path) for file in sorted(f for _, files in find_files(path, _is_identity) for f in files)]


def _is_identity(name: str) -> bool:
    return name == "identity.npy"


def _read_file(file: Path, root: Path) -> ParameterSet:
    folder = file.parent
    return ParameterSet(
        betas=read_vector(file, 300),
        expression=np.zeros(_EXPRESSION_SIZE),
        pose=np.zeros(15),
        family="flame2020",
        identity=identity_of(folder, root),
        emotion=emotion_of(folder, root if root.is_dir() else folder),
        source=text(file),
    )
