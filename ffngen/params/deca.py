"""Parameter sets from DECA's codes.

What ``DECA.encode`` returns, saved by people: shape (100), exp (50), pose (6: global rotation and jaw, axis-angle) and
cam (3: scale, tx, ty of the crop of 224 pixels); tex (50) is the texture's, read where it is there; light, detail
and images are not needed. DECA decodes with FLAME
2020, with the neck and the eyes at rest (``decalib/models/FLAME.py``). The .mat files of ``demo_reconstruct.py
--saveMat`` hold what ``DECA.decode`` returns, which is vertices and no codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ffngen.params.crop_codes import Array64, CodeLayout, read_crop_codes
from ffngen.params.parameter_set import ParameterSet


def read_deca(path: Path) -> list[ParameterSet]:
    """The parameter sets of DECA's codes; see :func:`ffngen.params.crop_codes.read_crop_codes`."""
    return read_crop_codes(path, _LAYOUT)


def _arrange(codes: Mapping[str, Array64]) -> tuple[Array64, Array64, Array64, Array64]:
    pose = np.zeros(15)
    pose[0:3] = codes["pose"][0:3]  # global
    pose[6:9] = codes["pose"][3:6]  # jaw
    return codes["shape"], codes["exp"], pose, np.zeros(2)


_LAYOUT = CodeLayout(
    required={"shape": 100, "exp": 50, "pose": 6},
    optional={"cam": 3, "tex": 50},
    arrange=_arrange,
    decoded="trans_verts",
)
