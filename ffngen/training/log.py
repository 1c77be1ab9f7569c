"""What a run writes down: a line of JSON for each entry, TensorBoard, and curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ffngen.training.run import RunFolder


class RunLog:
    """The log of a run; entries after the step from which it goes on are dropped.

    :param folder: the run's.
    :param step: how many steps are done.
    """

    def __init__(self, folder: RunFolder, step: int) -> None:
        # TensorBoard takes a second to import, which a fault in the config should not wait for.
        from torch.utils.tensorboard import SummaryWriter

        self._path = folder.log
        kept = [entry for entry in read_log(folder.log) if entry["step"] <= step]
        self._path.write_text("".join(f"{json.dumps(entry)}\n" for entry in kept))
        self._file = self._path.open("a", buffering=1)
        self._board = SummaryWriter(str(folder.root / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        self._board.close()

    def write(self, step: int, kind: str, values: dict[str, float]) -> None:
        """One entry: ``kind`` is ``training`` or ``validation``."""
        self._file.write(json.dumps({"step": step, "kind": kind, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(f"{kind}/{name}", value, step)

    def picture(self, step: int, name: str, rgb: NDArray[np.uint8]) -> None:
        """A picture (H, W, 3) for TensorBoard."""
        self._board.add_image(name, rgb, step, dataformats="HWC")


def read_log(path: Path) -> list[dict[str, Any]]:
    """The entries of a log; a last line that was cut off is left out."""
    entries = []
    if path.is_file():
        for line in path.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                entries.append(entry)
    return entries
