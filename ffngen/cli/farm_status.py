"""``ffngen farm status``."""

from __future__ import annotations

import json
import time

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ffngen.cli.render_report import duration
from ffngen.cli.values import PLACE
from ffngen.farm.status import Status, read_status
from ffngen.url import Place

_SHOWN = 10


@click.command("status")
@click.argument("dataset", type=PLACE)
@click.option("--live", is_flag=True, help="Stay, and show it anew until all is done; Ctrl-C ends it.")
@click.option("--every", type=click.FloatRange(1, 3600), default=10.0, show_default=True, metavar="SECONDS",
              help="How often --live looks.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status_command(dataset: Place, live: bool, every: float, as_json: bool) -> None:
    """How far DATASET is: done, running, failed, throughput, time left, slowest, per node, per cause.

    What is done is counted in the folders. The rest is what runs with --shard, and other runs on a farm,
    have noted below .farm. A run that gives no sign of life for two minutes counts as interrupted.

    \b
    ffngen farm status dataset --live
    """
    if live and as_json:
        raise click.BadParameter("not with --json", param_hint="--live")
    status = read_status(dataset)
    if as_json:
        click.echo(json.dumps(status.to_json(), indent=1))
        return
    if not live:
        Console(soft_wrap=True).print(_render(status))
        return
    with Live(_render(status), auto_refresh=False) as display:
        while status.total is None or status.done + len(status.failed) < status.total:
            time.sleep(every)
            status = read_status(dataset)
            display.update(_render(status), refresh=True)


def _render(status: Status) -> RenderableType:
    left = status.seconds_left
    total = "?" if status.total is None else str(status.total)
    line = f"{status.done} of {total} sequences done, {len(status.running)} running, {len(status.failed)} failed"
    if status.per_hour:
        line += f"; {status.per_hour:.1f} per hour"
    if left is not None and status.total != status.done:
        line += f", {duration(left)} left"
    parts: list[RenderableType] = [Text(f"{status.root}: {line}")]
    if status.interrupted:
        parts.append(Text(f"{status.interrupted} runs ended without a word"))
    if status.nodes:
        parts.append(_nodes(status))
    if status.slowest:
        slowest = ", ".join(f"{name} {duration(seconds)} on {node}" for seconds, name, node in status.slowest)
        parts.append(Text(f"slowest: {slowest}"))
    for cause, names in status.causes[:_SHOWN]:
        parts.append(Text(f"{len(names)} failed: {cause}\n    see {status.log(names[0])}"))
    return Group(*parts)


def _nodes(status: Status) -> Table:
    table = Table("node", "runs", "alive", "done", "failed", "again", "s per image", "per hour")
    for host, node in sorted(status.nodes.items()):
        per_image = f"{node.seconds / node.images:.3g}" if node.images else "-"
        counts = (node.runs, node.alive, node.done, node.failed, node.retries)
        table.add_row(Text(host), *map(str, counts), per_image, f"{node.per_hour:.1f}")
    return table
