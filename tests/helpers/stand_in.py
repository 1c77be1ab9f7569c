"""A stand-in for Blender, for tests of the pool and of whole commands; conftests take the fixture from here."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ffngen.render import process

#: What is started in place of ``python -m ffngen.blender``.
STAND_IN = Path(__file__).parents[1] / "render" / "fake_blender.py"


@dataclass
class FakeBlender:
    """Sets what the stand-in does, and tells what was asked of it."""

    state: Path

    def behave(self, name: str, *attempts: str) -> None:
        """What each attempt at a sequence (or each ``start``) comes to, the last one again and again."""
        (self.state / f"{name}.json").write_text(json.dumps(attempts))

    def forget(self) -> None:
        """Behave well from now on."""
        for path in self.state.iterdir():
            path.unlink()

    def lines(self, name: str) -> list[list[str]]:
        """What was noted."""
        path = self.state / name
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def device_indices(self) -> list[int]:
        """The device index of each start."""
        return [int(line[2]) for line in self.lines("starts")]

    def alive(self) -> list[int]:
        """The processes that were started and have not ended."""
        alive = []
        for pid, *_ in self.lines("starts"):
            try:
                os.kill(int(pid), 0)
            except ProcessLookupError:
                continue
            alive.append(int(pid))
        return alive


@pytest.fixture
def fake_blender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBlender:
    """Render processes are stand-ins."""
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("the package bpy is not installed; nothing is started without it")
    state = tmp_path / "fake-blender"
    state.mkdir()
    monkeypatch.setenv("FAKE_BLENDER", str(state))
    monkeypatch.setitem(process.COMMANDS, "cycles", (sys.executable, str(STAND_IN)))
    return FakeBlender(state)
