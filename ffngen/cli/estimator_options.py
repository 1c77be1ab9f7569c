"""Options that name what estimates flow, for every command that compares several."""

from __future__ import annotations

from collections.abc import Callable

import click


def estimator_options(
    models: str = "zero, dis, farneback, or ptlflow:NAME[@FILE]; may be repeated.",
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that adds ``--checkpoint``, ``--model``, ``--iterations`` and ``--device``.

    :param models: the help of ``--model``.
    """
    options = (
        click.option(
            "--checkpoint", "checkpoints", multiple=True, metavar="FILE", help="A trained network; may be repeated."
        ),
        click.option("--model", "models", multiple=True, metavar="NAME", help=models),
        click.option(
            "--iterations", "--iters", type=click.IntRange(min=1), help="Refinements of a network.  [default: 12]"
        ),
        click.option(
            "--device", default="auto", show_default=True, help="What networks run on: auto, cpu, cuda, cuda:1, ..."
        ),
    )

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add
