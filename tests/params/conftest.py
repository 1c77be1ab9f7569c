"""Heads that stand for FLAME 2020, with the trackers' eyelids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tracker_files import random_head

from ffngen.head.load import load_head
from ffngen.head.model import HeadModel

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "flame2023_open_lite"

_HEADS = [
    "made",
    pytest.param(
        "reduced",
        marks=[pytest.mark.shared, pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")],
    ),
]


@pytest.fixture(scope="session", params=_HEADS)
def flame2020(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HeadModel:
    """A random model of FLAME's size, and the reduced FLAME 2023 Open under FLAME 2020's name: the schema is the same.

    Its file, ``path``, has the eyelids beside it. The random one has all components; the reduced one has a head's
    joints and shape, and no expression.
    """
    folder = tmp_path_factory.mktemp("flame2020")
    rng = np.random.default_rng(12)
    for name in ("l_eyelid", "r_eyelid"):
        np.save(folder / name, rng.normal(scale=0.004, size=(5023, 3)))
    if request.param == "made":
        return random_head(folder, "flame2020", 5023)
    (folder / "generic_model.npz").symlink_to(SHARED / "FLAME_NEUTRAL.npz")
    return load_head(folder)
