"""What an evaluation has measured so far, so that one that was stopped goes on: a line of JSON per method and pair.

The first line says what is measured; a journal of anything else is begun anew. Images and points are known by their
names: who changes one of them between two runs deletes the journal. It goes when the report is there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ffngen.atomic import file_size
from ffngen.errors import DatasetError
from ffngen.realworld.pair_errors import PairErrors

JOURNAL_FILE = "measured.jsonl"


class Journal:
    """The journal of one evaluation.

    :param path: the file; its folder is there.
    :param content: what the figures are a function of, JSON-ready: data, settings, methods, and their files' digests.
    :raises FfngenError: the file cannot be read or written.
    """

    def __init__(self, path: Path, content: Any) -> None:
        self._path = path
        self._found: dict[tuple[str, str], list[PairErrors]] = {}
        head = {"content": hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()}
        lines = self._whole_lines()
        if lines[:1] == [head]:
            for line in lines[1:]:
                self._found[line["method"], line["pair"]] = [PairErrors(**errors) for errors in line["errors"]]
        # Written anew, for the last line may have been cut off.
        self._write(lines if lines[:1] == [head] else [head], "w")

    def get(self, method: str, pair: str) -> list[PairErrors] | None:
        """What was measured of a pair; None where nothing was."""
        return self._found.get((method, pair))

    def add(self, method: str, pair: str, errors: Sequence[PairErrors]) -> None:
        """Note what was measured of a pair."""
        self._write([{"method": method, "pair": pair, "errors": [asdict(one) for one in errors]}], "a")

    def remove(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)

    def _write(self, lines: Sequence[Any], mode: str) -> None:
        try:
            with self._path.open(mode) as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
        except OSError as error:
            raise DatasetError(f"cannot be written: {error.strerror}", where=self._path) from error

    def _whole_lines(self) -> list[Any]:
        lines: list[Any] = []
        if self._path.exists():
            file_size(self._path)
            for text in self._path.read_text(errors="replace").splitlines():
                try:
                    lines.append(json.loads(text))
                except ValueError:
                    break
        return lines
