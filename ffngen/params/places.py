"""Where a tracker's files lie, and what their places say: whose face it is, and which emotion it shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ffngen.errors import InputFileError
from ffngen.job import EMOTIONS


def find_files(
    root: Path, wanted: Callable[[str], bool], *, below_finds: bool = True
) -> Iterator[tuple[Path, list[Path]]]:
    """Every folder at or below ``root`` that has files of the wanted names, and these.

    :param root: a folder, or one file.
    :param wanted: whether a name is one of a tracker's files.
    :param below_finds: whether folders within a folder that has such files are searched as well.
    :returns: (folder, its wanted files, sorted by name), in no order.
    :raises InputFileError: for a folder that cannot be read, or a link to a file or folder that leads nowhere or out
        of ``root``.
    """
    if not root.is_dir():
        if wanted(root.name):
            yield root.parent, [root]
        return
    real_root = root.resolve()
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            entries = list(os.scandir(folder))
            below = [Path(entry.path) for entry in entries if _is_folder(entry)]
        except OSError as error:
            raise InputFileError(f"cannot be read ({error.strerror})", where=folder) from error
        found = sorted(Path(entry.path) for entry in entries if wanted(entry.name))
        descends = below_finds or not found
        for link in (path for path in (*found, *(below if descends else ())) if path.is_symlink()):
            refuse_link_out(link, real_root)
        if found:
            yield folder, found
        if descends:
            # What a linked folder inside the root points to is found where it really lies.
            pending.extend(path for path in below if not path.is_symlink())


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # DirEntry costs no system call, but raises for a link to itself.
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def refuse_link_out(link: Path, real_root: Path) -> None:
    """Raise :class:`InputFileError` for a path that leads nowhere or out of the folder that was given."""
    try:
        inside = link.resolve(strict=True).is_relative_to(real_root)
    except (OSError, RuntimeError) as error:
        raise InputFileError("is a link that leads nowhere", where=link) from error
    if not inside:
        raise InputFileError("is a link that leads out of the folder", where=link, mend="copy what it points to")


def file_inside(folder: Path, name: object, root: Path) -> Path | None:
    """The file that a text in one of a tracker's files names, where there is one.

    :param folder: what the name is relative to.
    :param name: whatever stands where a name should.
    :param root: the folder that was given; what lies outside it is never looked at.
    :returns: None where the name is none, leads out of ``root``, or is not an ordinary file's.
    """
    if not isinstance(name, str) or not name or Path(name).is_absolute():
        return None
    try:
        path = folder / name
        inside = path.resolve(strict=True).is_relative_to(root.resolve())
        return path if inside and path.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None


def identity_of(place: Path, root: Path) -> str:
    """A place's path below the path that was given, as the name of a person.

    :param place: the person's folder, or file without its suffix.
    :param root: the path that was given.
    """
    inside = place.relative_to(root) if place.is_relative_to(root) else Path()
    return text(inside if inside.parts else Path(place.resolve().name))


def emotion_of(place: Path, root: Path) -> str:
    """The nearest folder above whose name is one of AffectNet's class words, else ``none``.

    A single file or folder may lie in its class's folder; otherwise nothing above the root speaks of the faces in it.
    """
    top = root.resolve().parent if place == root else root.resolve()
    above = place.resolve().parent
    inside = above.relative_to(top).parts if above.is_relative_to(top) else ()
    for name in (top.name, *inside)[::-1]:
        if name.lower() in EMOTIONS:
            return name.lower()
    return "none"


def text(path: Path) -> str:
    """The path as valid Unicode, whatever bytes the file system holds."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
