"""Where the files that come with ffngen lie: ``assets``, ``blender_scenes`` and ``jobs``.

In a source checkout they are top-level folders; an installed wheel has them inside the package.
"""

from __future__ import annotations

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
