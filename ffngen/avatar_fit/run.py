"""A fit's folder: where it goes on, what it ends with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ffngen import __version__
from ffngen.appearance.colour import linear_to_srgb
from ffngen.atomic import read_bounded, write_atomic
from ffngen.avatar_fit.fit import Fit, FitStep, with_degree
from ffngen.avatar_fit.judge import Score, drawn, mean_score, score
from ffngen.avatar_fit.settings import FitSettings
from ffngen.avatar_fit.sheet import SheetRow, draw_sheet
from ffngen.avatar_fit.source import FitSource
from ffngen.avatar_fit.state import NAME as STATE
from ffngen.dataset.avatar_source import PERSON
from ffngen.dataset.read import spread_evenly
from ffngen.errors import FfngenError, HeadModelError, InputFileError
from ffngen.head.model import HeadModel
from ffngen.images import encode_png
from ffngen.params.gaussian_avatars import encode_tracking
from ffngen.splat.avatar import Avatar
from ffngen.splat.differentiable import Device, choose_device
from ffngen.splat.ply import NAME, read_avatar, write_avatar
from ffngen.splat.surface import surface_avatar
from ffngen.splat.tensors import avatar_tensors
from ffngen.texture.mean_skin import mean_look, paint_mean_skin

RECORD, SHEET = "fit.json", "comparison.png"
_MAX_RECORD = 1 << 24
#: Views that the sheet shows.
_SHOWN = 4
#: Texels along a side of the mean skin that a fit begins with, and its pigments.
_TEXTURE, _MELANIN, _HAEMOGLOBIN = 512, 0.35, 0.5


@dataclass(frozen=True, eq=False)
class FitRun:
    """A fit in a folder.

    :param record: what is asked for, JSON-ready; two fits of one record have one result.
    :param result: ``fit.json``'s content where the fit is finished, else None.
    """

    source: FitSource
    start: Avatar
    model: HeadModel
    settings: FitSettings
    folder: Path
    device: Device
    record: dict[str, Any]
    result: dict[str, Any] | None


def mean_avatar(source: FitSource, model: HeadModel, count: int, seed: int) -> Avatar:
    """Gaussians on the person's head, in the colours of a mean skin.

    :raises HeadModelError: the head has no texture coordinates, or no places that a skin is painted by.
    """
    try:
        texture = linear_to_srgb(paint_mean_skin(model, mean_look(_MELANIN, _HAEMOGLOBIN), _TEXTURE))
        return surface_avatar(model, source.neutral, texture, count=count, seed=seed)
    except HeadModelError as error:
        raise HeadModelError(error.what, where=error.where, mend="give an avatar to begin with: --avatar") from error


def open_run(
    source: FitSource,
    model: HeadModel,
    start: Avatar,
    settings: FitSettings,
    folder: Path,
    *,
    device: Device = "cpu",
    overwrite: bool = False,
) -> FitRun:
    """Begin a fit, go on with one, or find it finished.

    :param overwrite: whatever the folder holds of another fit is deleted.
    :raises InputFileError: the folder holds another fit.
    :raises FfngenError: the avatar is bound to triangles that the head does not have, or the device is not there.
    """
    start.require_faces(len(model.faces))
    record = {
        "settings": settings.to_json(),
        "device": choose_device(device),
        "identity": source.identity,
        "views": {"fitted": len(source.fitted), "held_out": [view.name for view in source.held_out]},
        "pictures": source.digest,
        "model": {"family": model.family, "version": model.version, "digest": model.digest},
        "gaussians": len(start),
        "start": _digest_of(start),
        "ffngen": __version__,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputFileError(f"is no folder that can be made ({error.strerror})", where=folder) from error
    if overwrite:
        for name in (RECORD, STATE, NAME, PERSON, SHEET):
            (folder / name).unlink(missing_ok=True)
    return FitRun(source, start, model, settings, folder, device, record, _finished(folder, record))


def _digest_of(avatar: Avatar) -> str:
    state = hashlib.sha256()
    for name in Avatar.__dataclass_fields__:
        state.update(np.ascontiguousarray(getattr(avatar, name)).tobytes())
    return state.hexdigest()


def _finished(folder: Path, record: dict[str, Any]) -> dict[str, Any] | None:
    path = folder / RECORD
    if not path.is_file():
        return None
    mend = "give --overwrite, or another --out"
    try:
        found = json.loads(read_bounded(path, _MAX_RECORD))
        asked = found["asked"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputFileError("is no record of a fit", where=path, mend=mend) from error
    if asked != record:
        names = sorted(name for name in record if asked.get(name) != record[name])
        raise InputFileError(f"is of another fit: its {', '.join(names)} differ", where=path, mend=mend)
    read_avatar(folder / NAME)
    return dict(found)


def run_fit(run: FitRun, progress: Callable[[FitStep], None]) -> dict[str, Any]:
    """Fit, judge, and write ``point_cloud.ply``, ``comparison.png`` and, last, ``fit.json``.

    Beside them, ``flame_param.npz`` says who a tracked person is, as GaussianAvatars has it.

    :param progress: is told of each step.
    :returns: the content of ``fit.json``.
    """
    digest = hashlib.sha256(json.dumps(run.record, sort_keys=True).encode()).hexdigest()
    fit = Fit(run.source, run.start, run.model.faces, run.settings, run.folder, digest, run.device)
    for step in fit.steps():
        progress(step)
    avatar = fit.tensors.to_avatar()
    if not all(np.isfinite(tensor.detach().cpu().numpy()).all() for tensor in fit.tensors.parameters().values()):
        raise FfngenError("the fit diverged", where=run.folder, mend="begin with another avatar")
    if run.source.parameters is not None:
        write_atomic(run.folder / PERSON, encode_tracking(run.source.parameters))
    write_avatar(run.folder / NAME, avatar)
    # What is judged is what was written.
    scores, rows = _judge(run, read_avatar(run.folder / NAME))
    write_atomic(run.folder / SHEET, encode_png(draw_sheet(rows)))
    result = {"asked": run.record, **scores}
    write_atomic(run.folder / RECORD, (json.dumps(result, indent=1, sort_keys=True) + "\n").encode())
    (run.folder / STATE).unlink(missing_ok=True)
    return result


def _judge(run: FitRun, after: Avatar) -> tuple[dict[str, Any], list[SheetRow]]:
    device = choose_device(run.device)
    avatars = [avatar_tensors(one, device=device) for one in (with_degree(run.start, run.settings.sh_degree), after)]
    views = run.source.held_out
    shown = set(spread_evenly(len(views), _SHOWN))
    found: list[tuple[Score, Score]] = []
    rows = []
    for number, source in enumerate(views):
        view = source.load(run.settings.longest)
        before, now = (drawn(avatar, view, run.model.faces) for avatar in avatars)
        found.append((score(before, view), score(now, view)))
        if number in shown:
            rows.append(SheetRow(source.name, view.image, before, now, found[-1]))
    means = [mean_score([pair[i] for pair in found]) for i in range(2)]
    each = {view.name: pair[1].to_json() for view, pair in zip(views, found, strict=True)}
    return {"before": means[0].to_json(), "after": means[1].to_json(), "each": each}, rows
