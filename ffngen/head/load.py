"""Any head model, by the word ``open`` or by a path."""

from __future__ import annotations

from pathlib import Path

from ffngen.errors import HeadModelError, InputFileError
from ffngen.head.flame import read_model
from ffngen.head.model import HeadModel
from ffngen.head.teeth import with_teeth

#: The name of the head that ffngen builds itself.
OPEN = "open"

#: Parts of the names of files that lie beside a model and are none.
_COMPANIONS = ("embedding", "mask", "texture", "albedo")


def load_head(which: str | Path, *, family: str | None = None, teeth: bool = False) -> HeadModel:
    """Load a head model.

    :param which: ``"open"`` for the open head, which is built where it is missing; or the path of a .pkl or .npz
        model file, or of a folder that holds one.
    :param family: the family of a FLAME file whose name does not tell it: ``flame2020``, ``flame2023`` or
        ``flame2023_open``.
    :param teeth: whether FLAME gets the teeth of VHAP and GaussianAvatars (:mod:`ffngen.head.teeth`).
    :raises InputFileError: when there is no such file, or it is damaged or hostile.
    :raises HeadModelError: when it is not a head model, or its family cannot be told, or teeth do not fit it.
    """
    if which == OPEN:
        if teeth:
            raise HeadModelError("the open head has teeth of its own", mend="leave teeth away")
        # Here, for the builder may need packages that loading a file does not.
        from ffngen.head.open_head import ensure_built

        return read_model(ensure_built(), family=family)
    path = Path(which)
    model = read_model(_model_in(path) if _is_folder(path) else path, family=family)
    return with_teeth(model) if teeth else model


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except ValueError as error:  # a null character in the name
        raise InputFileError(f"not a path ({error})") from error


def _model_in(folder: Path) -> Path:
    """The one model file of a folder."""
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix in (".pkl", ".npz") and not any(word in path.name.lower() for word in _COMPANIONS)
    )
    if len(found) != 1:
        what = "holds no head model" if not found else f"holds {len(found)} files that may be the head model"
        names = ", ".join(path.name for path in found[:5]) or "a .pkl or .npz file"
        raise InputFileError(what, where=folder, mend=f"name the file itself: {names}")
    return found[0]
