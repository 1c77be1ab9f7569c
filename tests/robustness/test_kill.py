"""A few kills; ``kill_and_resume.py`` delivers fifty."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.bpy

KILLS = 4


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).with_name("kill_and_resume.py")
    spec = importlib.util.spec_from_file_location("kill_and_resume", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds render processes in /proc")
def test_killed_and_resumed_datasets_equal_the_undisturbed_one(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = script.JOB.replace("identities: 2", "identities: 1")
    monkeypatch.setattr(script, "SEQUENCES", 2)
    result = script.Session(tmp_path, seed=3, talk=True, job=job).run(KILLS)
    assert result.faults == []
    assert len(result.kills) == KILLS
    assert result.datasets >= 1
    assert result.exit_codes[0] == result.datasets


def test_a_difference_would_be_found(script: ModuleType, tmp_path: Path) -> None:
    session = script.Session(tmp_path, seed=0, talk=False)
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    for name in ("same", "changed", "a/left"):
        (out / name).write_text(name)
    expected = script.digests(out) | {"lost": "0", "changed": "0"}
    del expected["a/left"]
    session.compare(out, expected)
    assert session.result.faults == ["a/left was left behind", "changed differs", "lost is lost"]
