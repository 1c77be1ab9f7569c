"""``ffngen farm submit``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ffngen.cli.values import PLACE
from ffngen.dataset.layout import MAX_ENTRIES
from ffngen.farm.slurm import SLURM_FOLDER, SlurmOptions, array_script, submit
from ffngen.job import load_job
from ffngen.url import Place


@click.command("submit")
@click.argument("job_file", metavar="JOB.yaml", type=click.Path(path_type=Path))
@click.option("--out", type=PLACE, help="Folder of the dataset.  [default: the job's]")
@click.option("--executor", type=click.Choice(["slurm"]), default="slurm", show_default=True, help="The scheduler.")
@click.option("--array", type=click.IntRange(1, MAX_ENTRIES), required=True, metavar="N",
              help="How many shards; each has a log in one folder.")  # fmt: skip
@click.option("--at-once", type=click.IntRange(min=1), metavar="N", help="How many may run at a time.")
@click.option("--partition", help="SLURM's partition.")
@click.option("--gres", help="What each task gets, such as gpu:1.")
@click.option("--cpus-per-task", type=click.IntRange(min=1), metavar="N", help="Cores of each task.")
@click.option("--mem", help="Memory of each task, such as 16G.")
@click.option("--time", "time_limit", help="Time limit of each task, such as 12:00:00.")
@click.option("--account", help="Who pays.")
@click.option("--option", "others", multiple=True, metavar="NAME=VALUE", help="Any other option of sbatch; repeatable.")
@click.option("--setup", multiple=True, metavar="LINE", help="A shell line that comes first; repeatable.")
@click.option("--notice", type=click.IntRange(16, 86_400), default=120, show_default=True, metavar="SECONDS",
              help="Before its time limit a task is told to end; it completes what it can.")  # fmt: skip
@click.option("--print", "only_print", is_flag=True, help="Print the batch script, and submit nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def submit_command(
    job_file: Path,
    out: Place | None,
    executor: str,
    array: int,
    at_once: int | None,
    others: tuple[str, ...],
    setup: tuple[str, ...],
    notice: int,
    only_print: bool,
    as_json: bool,
    time_limit: str | None,
    **named: str | int | None,
) -> None:
    """Hand JOB in to SLURM: an array of N shards, and what finishes the dataset after them.

    A task that is preempted, or comes to its time limit, completes or drops the sequence at work and is
    queued again; one whose node dies is queued again by SLURM. Scripts and logs lie in the dataset's
    .farm/slurm. Workers and threads of a task are the job's, or one process for the cores it gets.

    \b
    ffngen farm submit jobs/facialflownet.yaml --array 200 --partition gpu --gres gpu:1 --cpus-per-task 8
    ffngen farm submit jobs/demo.yaml --array 2 --setup "source .venv/bin/activate" --print
    """
    job = load_job(job_file, {} if out is None else {"out": out})
    directives = {name.replace("_", "-"): str(value) for name, value in named.items() if value is not None}
    if time_limit is not None:
        directives["time"] = time_limit
    for other in others:
        name, _, value = other.partition("=")
        directives[name.lstrip("-")] = value
    options = SlurmOptions(array, at_once, notice, directives, setup, _command(setup))
    if only_print:
        click.echo(array_script(job_file, job.out, options), nl=False)
        return
    number, after = submit(job_file, job.out, options)
    if as_json:
        click.echo(json.dumps({"array": number, "finish": after, "folder": f"{job.out}/{SLURM_FOLDER}"}, indent=1))
        return
    click.echo(f"submitted {number}, {array} tasks, and {after}, which finishes the dataset")
    click.echo(f"see it with  ffngen farm status {job.out} --live")


def _command(setup: tuple[str, ...]) -> tuple[str, ...]:
    """What starts ffngen on a node: this very program, or, where there is a setup, what that provides."""
    program = Path(sys.executable).with_name("ffngen")
    return (str(program),) if not setup and program.is_file() else ("ffngen",)
