"""Values that options of several commands take."""

from __future__ import annotations

import re

import click


def parse_size(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """``480x320`` or ``480`` as (width, height); a click callback."""
    if value is None:
        return None
    match = re.fullmatch(r"\s*(\d{1,6})\s*(?:[xX]\s*(\d{1,6})\s*)?", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is not WIDTHxHEIGHT, such as 480x480")
    return int(match[1]), int(match[2] or match[1])
