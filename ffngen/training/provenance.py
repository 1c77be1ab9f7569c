"""Where a run's weights come from: the code, the packages and the data."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import ffngen
from ffngen.training.sample import Source


def code() -> dict[str, Any]:
    """The versions of ffngen and PyTorch, and the commit where ffngen runs from a git checkout."""
    return {"ffngen": ffngen.__version__, "torch": torch.__version__, "git": _git_state()}


def data(sources: Sequence[tuple[Source, float]]) -> list[dict[str, Any]]:
    """Each source's name, size, weight and digest."""
    return [{"name": s.name, "pairs": len(s), "weight": weight, "digest": s.digest()} for s, weight in sources]


def _git_state() -> str | None:
    """The commit, with ``+`` where the working tree differs from it; None outside a checkout of ffngen."""
    root = Path(ffngen.__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()
