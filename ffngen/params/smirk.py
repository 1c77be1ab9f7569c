"""Parameter sets from SMIRK's codes.

What ``SmirkEncoder`` returns (``src/smirk_encoder.py``), saved by people: shape_params (300), expression_params (50),
pose_params (3, global rotation), jaw_params (3), eyelid_params (2: left, right) and cam (3: scale, tx, ty of the crop
of 224 pixels). SMIRK decodes with FLAME 2020, with the neck and the eyes at rest (``src/FLAME/FLAME.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ffngen.params.crop_codes import Array64, CodeLayout, read_crop_codes
from ffngen.params.parameter_set import ParameterSet


def read_smirk(path: Path) -> list[ParameterSet]:
    """The parameter sets of SMIRK's codes; see :func:`ffngen.params.crop_codes.read_crop_codes`."""
    return read_crop_codes(path, _LAYOUT)


def _arrange(codes: Mapping[str, Array64]) -> tuple[Array64, Array64, Array64, Array64]:
    pose = np.zeros(15)
    pose[0:3] = codes["pose_params"]
    pose[6:9] = codes["jaw_params"]
    return codes["shape_params"], codes["expression_params"], pose, codes.get("eyelid_params", np.zeros(2))


_LAYOUT = CodeLayout(
    required={"shape_params": 300, "expression_params": 50, "pose_params": 3, "jaw_params": 3},
    optional={"eyelid_params": 2, "cam": 3},
    arrange=_arrange,
    decoded="landmarks_fan",
)
