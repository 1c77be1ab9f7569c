"""Optional packages: asked for before they are imported, so that a missing one is a line and no traceback."""

from __future__ import annotations

import importlib.util

from ffngen.errors import MissingPackageError


def require(extra: str, *packages: str) -> None:
    """Refuse to go on without some packages.

    :param extra: the extra of ffngen that brings them.
    :param packages: the names that are imported.
    :raises MissingPackageError: naming those that are not installed.
    """
    missing = [name for name in packages if not _is_there(name)]
    if missing:
        raise MissingPackageError(f"{', '.join(missing)} not installed", mend=f'pip install "ffngen[{extra}]"')


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # something made its import impossible
        return False
