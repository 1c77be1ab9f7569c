"""Measures that were taken before, in one SQLite file: a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from ffngen.diversity.measures import SequenceMeasures
from ffngen.errors import DatasetError
from ffngen.head.model import HeadModel

_TABLE = "CREATE TABLE IF NOT EXISTS measures (key TEXT PRIMARY KEY, value TEXT NOT NULL)"

#: Changes with what is measured, or how: measures of another one are not used.
VERSION = 1


class MeasureCache:
    """A store of measures; each is in place whole, or not at all.

    :param path: the file, made where it is missing; None for no store.
    :param settings: JSON-ready: what else than a sequence's files decides its measures.
    :raises DatasetError: the file cannot be used.
    """

    def __init__(self, path: Path | None, settings: dict[str, Any]) -> None:
        self._path = path
        self._settings = json.dumps([VERSION, settings], sort_keys=True)
        self._store: sqlite3.Connection | None = None
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._store = sqlite3.connect(path)
                self._store.execute(_TABLE)
            except (sqlite3.Error, OSError) as error:
                raise self._fault(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._store is not None:
            self._store.close()

    def key(self, metadata: bytes, model: HeadModel | None) -> str:
        """The key of a sequence.

        :param metadata: its ``metadata.json``, which holds the digests of all of its files.
        :param model: its head model, where it is at hand; what lies beside a model is not in its digest.
        """
        known = None if model is None else [model.digest, model.landmarks is not None, sorted(model.regions)]
        return hashlib.sha256(f"{self._settings}\0{json.dumps(known)}\0".encode() + metadata).hexdigest()

    def get(self, key: str) -> SequenceMeasures | None:
        """What was measured; None where nothing was, or what is kept is damaged."""
        if self._store is None:
            return None
        try:
            row = self._store.execute("SELECT value FROM measures WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise self._fault(error) from error
        try:
            return None if row is None else SequenceMeasures.model_validate_json(row[0])
        except ValidationError:
            return None

    def put(self, key: str, measures: SequenceMeasures) -> None:
        """Keep measures."""
        if self._store is None:
            return
        try:
            with self._store:
                self._store.execute("INSERT OR REPLACE INTO measures VALUES (?, ?)", (key, measures.model_dump_json()))
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> DatasetError:
        return DatasetError(
            f"cannot be used as a cache of measures: {error}", where=self._path, mend="delete it, or use --no-cache"
        )
