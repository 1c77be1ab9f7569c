"""The folder of a run: what it is, how far it is, and what came out.

| file | what |
| --- | --- |
| ``run.json`` | config, code and digest of the data; written first, so that no other run takes the folder |
| ``state.safetensors`` | where the run goes on when it was stopped |
| ``best.safetensors``, ``.json`` | the weights with the best validation of the last stage |
| ``last.safetensors``, ``.json`` | the weights after the last step |
| ``stage1.safetensors``, ``.json`` | the weights at the end of the first of two stages |
| ``log.jsonl`` | losses, errors and validations, one line each |
| ``curves.png`` | the same, drawn |
| ``cache/`` | decoded flow, with ``cache_gib``; may be deleted |
| ``tensorboard/`` | the same for TensorBoard, with flow images |
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ffngen.atomic import read_bounded, write_atomic
from ffngen.errors import DatasetError, FfngenError

_MAX_BYTES = 1 << 24
_OTHER = "give another --out, or --overwrite to delete what is there"
_FILES = ("state.safetensors", "best", "last", "stage1", "log.jsonl", "curves.png", "run.json")


@dataclass(frozen=True)
class RunFolder:
    """A run's folder."""

    root: Path

    @property
    def record(self) -> Path:
        """What the run is."""
        return self.root / "run.json"

    @property
    def state(self) -> Path:
        """Where it goes on."""
        return self.root / "state.safetensors"

    @property
    def log(self) -> Path:
        """Losses and errors."""
        return self.root / "log.jsonl"

    def checkpoint(self, name: str) -> Path:
        """A file of weights: ``best``, ``last`` or ``stage1``."""
        return self.root / f"{name}.safetensors"

    def claim(self, record: dict[str, Any], *, overwrite: bool) -> None:
        """Make the folder this run's, or find that it is.

        :param record: what decides which weights come out, under ``config`` and ``data``; and ``code``, which does
            not keep a run from going on.
        :param overwrite: delete another run that is there.
        :raises DatasetError: it holds another run, or other files, or cannot be written to.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            there = {path.name for path in self.root.iterdir()}
        except OSError as error:
            raise DatasetError(
                f"cannot be used: {error.strerror}", where=self.root, mend="give another --out"
            ) from error
        if there and not self.record.is_file():
            what = f"holds files and is no training run (such as {min(there)!r})"
            raise DatasetError(what, where=self.root, mend="give an empty or new folder with --out")
        if there and overwrite:
            self._clear()
        elif there:
            self._check_same(record)
            return
        write_atomic(self.record, (json.dumps(record, indent=1) + "\n").encode())

    def _check_same(self, record: dict[str, Any]) -> None:
        try:
            old = json.loads(read_bounded(self.record, _MAX_BYTES))
            parts = {name: old[name] for name in ("config", "data")}
        except FfngenError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DatasetError("is damaged", where=self.record, mend=_OTHER) from error
        for name, value in parts.items():
            if value != record[name]:
                what = f"holds another run ({_difference(name, value, record[name])})"
                raise DatasetError(what, where=self.root, mend=_OTHER)

    def _clear(self) -> None:
        for name in ("tensorboard", "cache"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        for name in _FILES:
            stems = [name] if "." in name else [f"{name}.safetensors", f"{name}.json"]
            for stem in stems:
                (self.root / stem).unlink(missing_ok=True)


def _difference(name: str, old: Any, new: Any) -> str:
    if name == "config" and isinstance(old, dict):
        for field, value in new.items():
            if old.get(field) != value:
                return f"{field} is {_shortened(old.get(field))} there and {_shortened(value)} here"
    return "it was trained on other data" if name == "data" else "its record differs"


def _shortened(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
