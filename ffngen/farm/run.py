"""One part of a job, rendered on this machine."""

from __future__ import annotations

import threading

from ffngen.dataset.context import JobContext
from ffngen.dataset.plan import count_sequences
from ffngen.dataset.render import Selection, States, render_dataset
from ffngen.farm.journal import journalled


def render_part(
    context: JobContext,
    select: Selection,
    *,
    part: str,
    no_more: threading.Event | None = None,
) -> States:
    """Render what is missing of some of a job's sequences, and note it; yields as ``render_dataset`` does.

    Other parts may be rendered into the same folder at the same time, elsewhere too, and parts may overlap.

    :param part: what the part is called in the notes.
    :param no_more: once it is set, what is at work is completed and nothing else is begun.
    :raises FfngenError: nothing could go on.
    """
    states = render_dataset(context, select=select, no_more=no_more)
    sequences = count_sequences(context.job, context.source)
    yield from journalled(context, states, sequences=sequences, part=part, executor="local")
