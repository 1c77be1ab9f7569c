"""Any estimator, by its name or its file."""

from __future__ import annotations

from pathlib import Path

from ffngen.errors import JobError
from ffngen.estimators.classical import CLASSICAL
from ffngen.estimators.estimator import Estimator
from ffngen.extras import require

__all__ = ["Estimator", "choose_device", "open_estimator", "weights_file"]

_PTLFLOW = "ptlflow:"


def open_estimator(
    which: str,
    *,
    iterations: int | None = None,
    device: str = "auto",
    memory_gib: float | None = None,
    compiled: bool = False,
) -> Estimator:
    """An estimator.

    :param which: ``zero``, ``dis`` or ``farneback``; ``ptlflow:NAME`` or ``ptlflow:NAME@CHECKPOINT`` for a network
        of the package ptlflow; or the path of a checkpoint of ffngen's or of the networks' authors.
    :param iterations: refinements of a network's flow; its own default where None.
    :param device: what a network runs on; ``auto`` takes a GPU where there is one.
    :param memory_gib: a network cuts larger images into tiles where they would take more than that.
    :param compiled: compile a network (:func:`torch.compile`); pays on a GPU, over many pairs.
    :raises FfngenError: there is no such estimator, or its file or package cannot be used.
    """
    if which in CLASSICAL:
        return CLASSICAL[which]
    require("train", "torch", "safetensors")
    chosen = choose_device(device)
    if which.startswith(_PTLFLOW):
        from ffngen.estimators.ptlflow import open_ptlflow

        name, _, checkpoint = which.removeprefix(_PTLFLOW).partition("@")
        return open_ptlflow(name, checkpoint or None, device=chosen, iterations=iterations)
    if not Path(which).suffix:
        mend = f"name a checkpoint's file, {', '.join(CLASSICAL)}, or ptlflow:NAME"
        raise JobError(f"unknown estimator {which[:60]!r}", where="command line", mend=mend)
    from ffngen.estimators.network import open_network

    return open_network(which, device=chosen, iterations=iterations, memory_gib=memory_gib, compiled=compiled)


def weights_file(which: str) -> Path | None:
    """The file that an estimator of this name is read from, or None where the name tells of none."""
    if which.startswith(_PTLFLOW):
        checkpoint = which.partition("@")[2]
        return Path(checkpoint) if checkpoint else None
    return None if which in CLASSICAL else Path(which)


def choose_device(which: str) -> str:
    """What PyTorch runs on: ``auto`` is a GPU where there is one.

    :raises JobError: there is no such device here.
    """
    require("train", "torch")
    import torch

    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if which == "auto" else which
    if chosen.startswith("cuda") and not torch.cuda.is_available():
        raise JobError("there is no CUDA GPU that PyTorch can use", where="device", mend="use cpu")
    try:
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise JobError(f"PyTorch has no device {chosen[:40]!r} here", where="device", mend="use cpu or auto") from error
    return chosen
