"""``ffngen``: the group of all commands."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import click

from ffngen import __version__
from ffngen.errors import FfngenError

#: Command -> module of ``ffngen.cli``; imported when used, so that ``ffngen --help`` is quick.
_COMMANDS = {
    "head": "Build the open head, describe a head model.",
    "params": "Read, sample, select and look at faces' parameters.",
    "render": "Render a facial-flow dataset.",
    "splat": "Render with Gaussians on the head, such as GaussianAvatars' of real people, and fit them.",
    "farm": "Render on many machines: plan, submit, see, retry, finish, merge.",
    "scene": "List, preview and export scenes: camera, light and background.",
    "label": "Add labels to a dataset: backward flow, occlusion, normals, regions, landmarks, ...",
    "verify": "Check a dataset's flow, depth, masks and files, without Blender.",
    "flow": "Print statistics of flow files, compare two, and draw them.",
    "view": "Look at a dataset in the Rerun viewer, in a window or a browser.",
    "texture": "Make UV textures from photographs.",
    "convert": "Write a dataset in another layout, such as WebDataset shards.",
    "train": "Train a network on a dataset.",
    "stats": "Measure how diverse a dataset is: people, expressions, motion, skin, pose, light.",
    "eval": "Measure how well networks and classical methods estimate a dataset's flow.",
    "evalreal": "Measure flow on real faces: at CK+'s landmarks, or at tracked vertices (MEAD).",
    "labels": "Make the rival labels: piecewise-affine flow between triangulated landmarks.",
    "report": "Put the results of eval, evalreal and mer on one page.",
    "predict": "Estimate the flow of images or a video.",
    "simulate": "Make sets that nobody could record, such as micro-expressions under head motion.",
    "mer": "Recognise micro-expressions from flow: leave one subject out, on your copy of a set.",
}


#: What a shell reports of a command that Ctrl-C ended.
INTERRUPTED = 130

#: A group without a command shows its help; Click 8.1 does so by itself.
_HELP_INSTEAD: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())


def _fault(text: str, code: int = 2) -> int:
    click.echo(f"ffngen: {' '.join(text.split())}", err=True)
    return code


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

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        try:
            code = super().main(args, standalone_mode=False, **extra)
        except _HELP_INSTEAD as error:
            error.show()
            code = error.exit_code
        except click.Abort:
            code = _fault("stopped", INTERRUPTED)
        except click.ClickException as error:
            code = _fault(error.format_message())
        except FfngenError as error:
            code = _fault(str(error))
        except OSError as error:
            # A disk or a network share that fails under us; nobody mends that by reading a traceback.
            code = _fault(str(FfngenError(error.strerror or str(error), where=error.filename)))
        raise SystemExit(code if isinstance(code, int) else 0)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="ffngen")
def main() -> None:
    """Make exact facial optical flow: head-model parameters in, a verified dataset out.

    \b
    ffngen render --n-frames 10      render one face in ten frames into ./dataset
    ffngen verify dataset            check every flow vector by ray casting
    """
