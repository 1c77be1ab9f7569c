"""The items of a JSON array, or of lines of JSON, one by one: a file of any length in little memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ffngen.errors import InputFileError

#: Characters; one item, such as a frame of a tracker, is not longer.
MAX_ITEM = 1 << 20

_CHUNK = 1 << 18
_SPACE = " \t\r\n"


def read_items(path: Path) -> Iterator[tuple[int, Any]]:
    """The items of a JSON array, or the values of a file of one or more of them one after the other.

    :returns: their numbers, from 0, and the items.
    :raises InputFileError: for a file that is no JSON, or an item that is longer than :data:`MAX_ITEM`.
    """
    try:
        yield from _items(path)
    except UnicodeDecodeError as error:
        raise InputFileError("is not UTF-8 text", where=path) from error
    except OSError as error:
        raise InputFileError(f"cannot be read ({error.strerror})", where=path) from error


def _items(path: Path) -> Iterator[tuple[int, Any]]:
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    with path.open(encoding="utf-8-sig") as stream:
        text, start, number, ended = "", 0, 0, False
        array, separated, closed = False, True, False
        while True:
            while start < len(text) and text[start] in _SPACE:
                start += 1
            if start == len(text):
                text, start = stream.read(_CHUNK), 0
                if text:
                    continue
                if array and not closed:
                    raise InputFileError(f"ends within its array, after item {number - 1}", where=path)
                return
            sign = text[start]
            if number == 0 and sign == "[" and not array:
                array, start = True, start + 1
                continue
            if closed:
                raise InputFileError("is no JSON: text after the end of its array", where=path)
            if array and sign == "]" and (not separated or number == 0):
                closed, start = True, start + 1
                continue
            if array and sign == "," and not separated:
                separated, start = True, start + 1
                continue
            if array and not separated:
                raise InputFileError(f"is no JSON: no comma after item {number - 1}", where=path)
            while True:
                try:
                    item, end = decoder.raw_decode(text, start)
                    # A number may go on behind what has been read.
                    if end < len(text) or ended:
                        start = end
                        break
                    problem = ""
                except (ValueError, RecursionError) as error:
                    problem = str(error) if isinstance(error, ValueError) else "too deeply nested"
                    if ended or isinstance(error, RecursionError):
                        raise InputFileError(f"is no JSON at item {number} ({problem[:100]})", where=path) from None
                if len(text) - start > MAX_ITEM:
                    raise InputFileError(f"item {number} has more than {MAX_ITEM} characters", where=path)
                more = stream.read(max(_CHUNK, len(text) - start))
                text, start, ended = text[start:] + more, 0, not more
            yield number, item
            number, separated = number + 1, False


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
