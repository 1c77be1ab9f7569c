"""``ffngen``: the group of all commands."""

from __future__ import annotations

import importlib
from typing import Any

import click

from ffngen import __version__
from ffngen.errors import FfngenError

#: Command -> module of ``ffngen.cli``; imported when used, so that ``ffngen --help`` is quick.
_COMMANDS = {
    "head": "Build the open head, describe a head model.",
    "render": "Render a facial-flow dataset.",
    "verify": "Check a dataset's flow, depth, masks and files, without Blender.",
}


class _LazyGroup(click.Group):
    """A group whose commands live in modules of the same name, and whose faults are one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"ffngen.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FfngenError as error:
            click.echo(f"ffngen: {error}", err=True)
            ctx.exit(2)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="ffngen")
def main() -> None:
    """Make exact facial optical flow: head-model parameters in, a verified dataset out.

    \b
    ffngen render --n-frames 10      render one face in ten frames into ./dataset
    ffngen verify dataset            check every flow vector by ray casting
    """
