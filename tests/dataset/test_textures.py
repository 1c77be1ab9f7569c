"""Which texture a person wears, as a sequence's record has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ffngen.dataset.compose import compose
from ffngen.dataset.context import JobContext, open_context
from ffngen.dataset.plan import plan_sequences
from ffngen.images import decode_image
from ffngen.job import Job


def context(textures: str) -> JobContext:
    return open_context(Job(resolution=32, samples=1, n_frames=[2], identities=3, texture_size=64, textures=textures))


def test_by_name_else_by_seed(tmp_path: Path) -> None:
    for i, name in enumerate(("open-000001", "x", "y")):
        Image.new("RGB", (64, 64), (50 * i + 50, 0, 0)).save(tmp_path / f"{name}.png")
    one = context(str(tmp_path))
    worn = {}
    for plan in plan_sequences(one.job, one.source):
        composed = compose(one, plan)
        worn[plan.identity] = composed.record
        red = decode_image(composed.atlas_png, "atlas")[0, 0, 0]
        assert red == {"open-000001.png": 50, "x.png": 100, "y.png": 150}[composed.record["texture"]]
    assert worn["open-000001"]["texture"] == "open-000001.png" and worn["open-000001"]["texture_from"] == "name"
    assert {worn[f"open-00000{i}"]["texture_from"] for i in (0, 2)} == {"seed"}
    assert all(record["look"] is None for record in worn.values())


def test_codes_of_a_tracker_are_a_persons(tmp_path: Path) -> None:
    """The first set of a person that has a code gives the code of all."""
    one = context("generated")
    first, second, other = (one.source.parameters(i) for i in range(3))
    sets = [replace(first, identity="mia"), replace(second, identity="mia", texture=np.arange(50.0))]
    sets += [replace(second, identity="mia", texture=np.zeros(50)), replace(other, identity="zoe")]

    class Given:
        def __len__(self) -> int:
            return len(sets)

        def parameters(self, index: int) -> object:
            return sets[index]

    codes = JobContext(
        one.job.model_copy(update={"params": "given"}), one.model, one.preset, Given(), None, {}, (), None
    ).texture_codes  # type: ignore[arg-type]
    assert set(codes) == {"mia"} and codes["mia"].tolist() == list(range(50))
