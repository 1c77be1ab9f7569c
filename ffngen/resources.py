"""Where the files that come with ffngen lie: ``assets``, ``blender_scenes`` and ``jobs``.

In a source checkout they are top-level folders; an installed wheel has them inside the package.
"""

from __future__ import annotations

import os
from pathlib import Path

import ffngen


def resource(*parts: str) -> Path:
    """The path of a file that comes with ffngen, such as ``resource("blender_scenes", "portrait.yaml")``."""
    package = Path(ffngen.__file__).resolve().parent
    for root in (package, package.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"ffngen was installed without {'/'.join(parts)}")


def cache_folder() -> Path:
    """Where files are kept that can be made again: below ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "ffngen"
