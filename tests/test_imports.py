"""What starting ffngen imports: each part only what it needs, shown in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_PRINT = "\nimport json, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def imported(code: str, *arguments: str, cwd: Path | None = None) -> set[str]:
    """The top-level packages that a fresh interpreter holds after running ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", code + _PRINT, *arguments], check=True, capture_output=True, text=True, cwd=cwd
    )
    names = set(json.loads(done.stdout.splitlines()[-1]))
    assert "ffngen" in names
    return names


CLI = """
import sys
from ffngen.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code in (0, None), end.code
"""


def test_help() -> None:
    names = imported(CLI, "--help")
    # Quick: the commands themselves are imported when they are used.
    assert not names & {"torch", "bpy", "trimesh", "embreex", "pyarrow", "numpy", "anny", "cv2"}


@pytest.mark.parametrize("command", ["render", "splat", "verify", "head", "train", "eval", "predict", "stats"])
def test_help_of_commands(command: str) -> None:
    assert not imported(CLI, command, "--help") & {"torch", "bpy", "anny", "embreex"}


def test_dry_run(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", CLI, "head", "info", "open"], check=True, capture_output=True)
    names = imported(CLI, "render", "--dry-run", cwd=tmp_path)
    assert not names & {"torch", "bpy", "anny", "trimesh", "embreex"}
    assert not list(tmp_path.iterdir())


def test_reading_a_dataset() -> None:
    names = imported("from ffngen.dataset.read import FlowDataset, Pair")
    assert not names & {"bpy", "torch", "trimesh", "embreex", "anny", "smplx"}


def test_classical_estimators() -> None:
    names = imported("from ffngen.estimators import open_estimator\nopen_estimator('dis')")
    assert not names & {"torch", "bpy"}


def test_verifying() -> None:
    names = imported("from ffngen.dataset.verify import verify_dataset")
    assert not names & {"bpy", "torch", "anny", "smplx"}


#: Parts that import bpy or torch; nothing else may.
HEAVY = (
    "avatar_fit",
    "blender",
    "models",
    "recognition",
    "splat",
    "training",
    "estimators/network.py",
    "estimators/ptlflow.py",
)


def test_all_other_modules_import_without_bpy_and_torch() -> None:
    root = Path(__file__).resolve().parents[1] / "ffngen"
    modules = [
        ".".join(("ffngen", *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        for path in sorted(root.rglob("*.py"))
        if path.relative_to(root).parts[0] not in HEAVY and str(path.relative_to(root)) not in HEAVY
    ]
    assert len(modules) > 50
    names = imported("\n".join(f"import {module}" for module in modules))
    assert not names & {"bpy", "torch", "anny"}


@pytest.mark.bpy
@pytest.mark.parametrize(("program", "needs"), [("blender", "bpy"), ("splat", "numba")])
def test_render_process(program: str, needs: str) -> None:
    """A render process imports what it renders with and never torch, up to its answer that it is ready."""
    code = f"""
import sys
from ffngen.{program}.__main__ import main
try:
    main(["--device", "cpu", "--parent", "{os.getpid()}"])
except SystemExit:
    pass
import json
# Standard output was claimed for answers; what is printed now goes where Blender's chatter goes.
print("MODULES", json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})), flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, check=True, capture_output=True, text=True
    )
    (ready,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert ready["event"] == "ready"
    assert ready["device"] == "CPU"
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("MODULES")]
    names = set(json.loads(line.removeprefix("MODULES")))
    assert {needs, "ffngen", "numpy"} <= names
    assert not names & {"torch", "anny", "trimesh", "embreex", "pydantic", "pyarrow"}


@pytest.mark.bpy
def test_render_process_of_another_parent_ends_at_once() -> None:
    """Its parent died before it could ask to die with it."""
    done = subprocess.run(
        [sys.executable, "-m", "ffngen.blender", "--parent", "1"],
        stdin=subprocess.PIPE,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == b""
