"""Values that options of several commands take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from ffngen.errors import JobError
from ffngen.url import parse_place


class _PlaceType(click.ParamType):  # type: ignore[type-arg]  # of which older versions have none
    """A folder, or ``s3://BUCKET/PREFIX``."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return parse_place(value)
        except JobError as error:
            self.fail(str(error), param, ctx)


PLACE = _PlaceType()


def parse_size(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """``480x320`` or ``480`` as (width, height); a click callback."""
    if value is None:
        return None
    match = re.fullmatch(r"\s*(\d{1,6})\s*(?:[xX]\s*(\d{1,6})\s*)?", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is not WIDTHxHEIGHT, such as 480x480")
    return int(match[1]), int(match[2] or match[1])


def parse_named(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Path]:
    """``NAME=FOLDER``, repeated; a click callback."""
    named: dict[str, Path] = {}
    for value in values:
        name, equals, folder = value.partition("=")
        if not (name and equals and folder):
            raise click.BadParameter(f"{value!r} is not NAME=FOLDER")
        if name in named:
            raise click.BadParameter(f"{name} is named twice")
        named[name] = Path(folder)
    return named
