"""What ``ffngen render`` shows: progress while it runs, a table at the end, a plan before it."""

from __future__ import annotations

import json
import shlex
import time
from types import TracebackType
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ffngen.cli.progress import make_progress
from ffngen.dataset.layout import Record
from ffngen.dataset.plan import estimate_bytes, estimate_core_seconds
from ffngen.dataset.render import RenderRun
from ffngen.job import Job
from ffngen.render.pool import Event, available_cores
from ffngen.render.request import RawPass


class RenderReporter:
    """Shows a run as it goes on."""

    def __init__(self, *, quiet: bool, device_asked_for: str) -> None:
        self._quiet = quiet
        self._device_asked_for = device_asked_for
        self._progress = make_progress(quiet=quiet)
        self._task = self._progress.add_task("rendering", total=None, note="")
        #: Colour images of the sequences at work, by name.
        self._frames: dict[str, int] = {}
        self._images: dict[str, int] = {}
        self._done = self._total = 0
        self._seconds = dict.fromkeys(RawPass, 0.0)
        self._start = time.monotonic()
        self._run: RenderRun | None = None
        self._told_layout = False

    def say(self, text: str) -> None:
        """One line on standard error."""
        if not self._quiet:
            self._progress.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def __enter__(self) -> RenderReporter:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, run: RenderRun, event: Event | None) -> None:
        """Show what an event of :func:`ffngen.dataset.render.render_dataset` changes."""
        if self._run is None:
            kept = len(run.plans) - len(run.missing)
            if kept:
                self.say(f"{kept} of {len(run.plans)} sequences are complete already")
            self._images = {plan.name: plan.images for plan in run.missing}
            self._total = sum(self._images.values())
        self._run = run
        if run.layout is not None and not self._told_layout:
            self._told_layout = True
            layout = run.layout
            fallback = " (no GPU was found)" if self._device_asked_for == "auto" and not layout.device.gpus else ""
            self.say(
                f"{layout.device.program} on {layout.device.kind}{fallback}: "
                f"{layout.workers} process{'es' if layout.workers > 1 else ''}, {layout.threads} threads each"
            )
        if event is None:
            if run.labels is not None:
                done = run.labels.labelled + len(run.labels.failed)
                self._progress.update(self._task, description="labelling", total=run.labels.missing, completed=done)
            return
        if event.kind == "frame" and event.frame is not None:
            self._seconds[event.frame.kind] += event.frame.seconds
            if event.frame.kind in (RawPass.FACIAL_COLOUR, RawPass.HEAD_COLOUR):
                self._frames[event.name] = self._frames.get(event.name, 0) + 1
                self._done += 1
        elif event.kind == "retry":
            self._done -= self._frames.pop(event.name, 0)
            self.say(f"again {event.name}: {event.reason}")
        elif event.kind == "failed":
            self._done -= self._frames.pop(event.name, 0)
            self._total -= self._images[event.name]
            self.say(f"failed {event.name}: {event.reason}")
        elif event.kind == "done":
            self._frames.pop(event.name, None)
        self._show_counts(run, event)

    def _show_counts(self, run: RenderRun, event: Event) -> None:
        """The bar on a terminal; elsewhere, as in a farm's log, a line for each sequence."""
        seconds = time.monotonic() - self._start
        # A pair costs two images: the next facial one and the head-only one.
        note = f"{len(run.done)}/{len(run.missing)} sequences, {30 * self._done / seconds:.1f} pairs/min"
        self._progress.update(self._task, total=self._total, completed=self._done, note=note)
        if event.kind == "done" and not self._progress.console.is_terminal:
            left = duration(seconds * (self._total - self._done) / max(self._done, 1))
            self.say(f"done {event.name}: {note}, {left} left")

    def summary(self, job: Job, seconds: float) -> dict[str, Any]:
        """The result, JSON-ready."""
        assert self._run is not None
        run = self._run
        names = set(run.done)
        rendered = [plan for plan in run.missing if plan.name in names]
        pairs = sum(plan.pairs for plan in rendered)
        return {
            "out": str(job.out),
            "sequences": len(run.plans),
            "complete": len(run.plans) - len(run.missing) + len(run.done),
            "rendered": len(run.done),
            "pairs": pairs,
            "images": sum(plan.images for plan in rendered),
            "labelled": run.labels.labelled if run.labels is not None else 0,
            "failed": run.failed,
            "seconds": round(seconds, 2),
            "pairs_per_minute": round(60 * pairs / seconds, 2),
            "seconds_in_processes": {kind.value: round(value, 2) for kind, value in self._seconds.items()},
            "device": run.layout.device.kind if run.layout is not None else None,
            "contact_sheets": [str(job.out / plan.layout.record(Record.CONTACT_SHEET)) for plan in rendered[:20]],
        }

    def show(self, summary: dict[str, Any]) -> None:
        """The result as a table."""
        rows = [("dataset", summary["out"])]
        rows.append(("sequences", f"{summary['complete']} of {summary['sequences']} complete"))
        if summary["rendered"]:
            rows.append(("rendered", f"{summary['rendered']} sequences, {summary['pairs']} pairs"))
            rows.append(("time", f"{summary['seconds']:.0f} s, {summary['pairs_per_minute']:.1f} pairs per minute"))
        if summary["labelled"]:
            rows.append(("labelled", f"{summary['labelled']} sequences"))
        if summary["failed"]:
            rows.append(("failed", f"{len(summary['failed'])}; see {summary['out']}/logs"))
        if summary["contact_sheets"]:
            rows.append(("look at", summary["contact_sheets"][0]))
        out = shlex.quote(summary["out"])
        is_url = summary["out"].startswith("s3://")
        rows.append(("bring home", f"ffngen farm merge {out} --out FOLDER") if is_url else
                    ("check with", f"ffngen verify {out}"))  # fmt: skip
        for name, value in rows:
            click.echo(f"{name:>11}  {value}")


def describe_plan(job: Job, run: RenderRun, *, as_json: bool) -> None:
    """Print what would be rendered."""
    missing = run.missing
    disk = sum(estimate_bytes(job, plan) for plan in missing)
    core_seconds = sum(estimate_core_seconds(job, plan) for plan in missing)
    data = {
        "out": str(job.out),
        "sequences": len(run.plans),
        "to_render": len(missing),
        "pairs": sum(plan.pairs for plan in missing),
        "images": sum(plan.images for plan in missing),
        "disk_bytes": disk,
        "core_hours": round(core_seconds / 3600, 3),
        "hours_on_this_cpu": round(core_seconds / 3600 / available_cores(), 3),
    }
    if as_json:
        data["list"] = [str(plan.layout.key) for plan in missing]
        click.echo(json.dumps(data, indent=1))
        return
    console = Console(soft_wrap=True)
    shown = missing[:20]
    table = Table("sequence", "split", "emotion", "frames", "pairs")
    for plan in shown:
        key = plan.layout.key
        table.add_row(key.sequence, key.split, key.emotion, str(plan.layout.n_frames), str(plan.pairs))
    console.print(table)
    if len(missing) > len(shown):
        console.print(f"... and {len(missing) - len(shown)} more")
    console.print(
        f"{len(missing)} of {len(run.plans)} sequences to render: {data['pairs']} pairs, {data['images']} images, "
        f"about {disk / 1e9:.2f} GB, about {core_seconds / 3600:.2f} core hours "
        f"({duration(core_seconds / available_cores())} on this CPU)",
        highlight=False,
    )


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{max(1, round(seconds / 60))} min"
