"""``ffngen farm``."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from ffngen.cli.farm_status import status_command
from ffngen.cli.farm_submit import submit_command
from ffngen.cli.progress import make_progress
from ffngen.cli.render import show_run
from ffngen.cli.render_report import RenderReporter, duration
from ffngen.cli.values import PLACE
from ffngen.dataset.context import open_context
from ffngen.dataset.layout import MAX_ENTRIES
from ffngen.dataset.render import finish_dataset, open_run
from ffngen.dataset.store import open_store
from ffngen.farm.cost import estimated_cost, noted_cost, probe_cost
from ffngen.farm.executors import EXECUTORS, RayOptions, execute
from ffngen.farm.merge import merge_datasets
from ffngen.farm.plan import describe
from ffngen.farm.run import render_part
from ffngen.farm.shard import shard_index
from ffngen.farm.status import failures
from ffngen.job import Job, load_job
from ffngen.render.pool import available_cores
from ffngen.url import Place

JOB_ARGUMENT = click.argument("job_file", metavar="JOB.yaml", type=click.Path(path_type=Path))
OUT_HELP = "Folder of the dataset, or s3://BUCKET/PREFIX.  [default: the job's]"
OUT_OPTION = click.option("--out", type=PLACE, help=OUT_HELP)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group("farm")
def command() -> None:
    """Render one dataset on many machines that share a folder.

    \b
    ffngen farm plan jobs/demo.yaml --shards 16      what it costs, and how even 16 shards are
    ffngen render jobs/demo.yaml --shard auto/16     what each task of any scheduler's array runs
    ffngen farm submit jobs/demo.yaml --array 16     or all of them, on SLURM
    ffngen farm run jobs/demo.yaml --executor ray    or on a Ray cluster
    ffngen farm status dataset                       how far it is
    ffngen farm retry jobs/demo.yaml                 what failed, once more
    ffngen farm finish jobs/demo.yaml                the manifest, when all is rendered
    ffngen verify dataset

    No task knows of another, and none holds a lock: parts may overlap, run twice and die at any time.
    In place of a folder, --out s3://BUCKET/PREFIX is a place on any server that speaks S3, which the
    environment names (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ...); ffngen farm merge brings it home.
    """


command.add_command(status_command)
command.add_command(submit_command)


def read_job(job_file: Path, out: Place | None) -> Job:
    """The job of a file, into another folder where one is given."""
    return load_job(job_file, {} if out is None else {"out": out})


@command.command("plan")
@JOB_ARGUMENT
@OUT_OPTION
@click.option("--shards", type=click.IntRange(1, 1_000_000), default=1, show_default=True, metavar="N",
              help="Into how many parts; each is one render process.")  # fmt: skip
@click.option("--probe", is_flag=True, help="Render up to two of the shortest sequences here, and measure.")
@click.option("--list", "with_list", is_flag=True, help="With --json: each sequence, with its shard and seconds.")
@JSON_OPTION
def plan_command(job_file: Path, out: Place | None, shards: int, probe: bool, with_list: bool, as_json: bool) -> None:
    """What JOB still costs: sequences, hours, disk for each flow format, and how evenly shards share it.

    The cost of an image is measured by --probe, or else taken from what the dataset's runs have noted,
    or else estimated from the demo's on a CPU. A shard is counted as one render process.

    \b
    ffngen farm plan jobs/facialflownet.yaml --shards 400 --probe
    """
    job = read_job(job_file, out)
    reporter = RenderReporter(quiet=as_json, device_asked_for=job.device)
    context = open_context(job, progress=reporter.say)
    run = open_run(context)
    if probe and run.plans:
        reporter.say("rendering the probe")
        cost = probe_cost(context, run.plans)
    else:
        threads = job.threads or available_cores()
        cost = noted_cost(open_store(job.out), context.digest) or estimated_cost(job, run.plans, threads)
    data = describe(job, run, cost, shards)
    if as_json:
        if with_list:
            data["list"] = [
                {
                    "sequence": str(plan.layout.key),
                    "shard": shard_index(plan.name, shards),
                    "seconds": round(cost.seconds(plan), 3),
                }
                for plan in run.missing
            ]
        click.echo(json.dumps(data, indent=1))
    else:
        _show_plan(job, data)


def _show_plan(job: Job, data: dict[str, Any]) -> None:
    cost, balance, folder = data["cost"], data["balance"], data["largest_folder"]
    per_image = f"{cost['seconds_per_image']:.3g} s per image"
    fixed = f"{cost['seconds_per_sequence']:.3g} s and " if cost["seconds_per_sequence"] else ""
    disk = ", ".join(f"{name} {size / 1e9:.4g}" for name, size in data["disk_bytes_by_flow_format"].items())
    counts = balance["sequences"]
    rows = [
        ("dataset", data["out"]),
        ("to render", f"{data['to_render']} of {data['sequences']} sequences, {data['pairs']} pairs, "
                      f"{data['images']} images"),
        ("cost", f"{fixed}{per_image}, {cost['source']}"),
        ("work", f"{data['process_hours']:.4g} GPU-hours" if data["gpu_hours"] is not None
                 else f"{data['process_hours']:.4g} hours of one render process"),
        ("disk", f"{data['disk_bytes'] / 1e9:.4g} GB with {job.flow_format}"),
        ("by format", f"GB: {disk}"),
        ("shards", f"{balance['shards']}, of {counts['min']} to {counts['max']} sequences"),
        ("time", f"{duration(balance['makespan_hours'] * 3600)} if all run at once, "
                 f"{duration(balance['ideal_hours'] * 3600)} if they were even"),
    ]  # fmt: skip
    if folder["entries"] > MAX_ENTRIES:
        rows.append(("beware", f"{folder['folder']} holds {folder['entries']} folders, which slows file systems down"))
    for name, value in rows:
        click.echo(f"{name:>11}  {value}")


@command.command("run")
@JOB_ARGUMENT
@OUT_OPTION
@click.option("--executor", type=click.Choice(EXECUTORS), default="local", show_default=True,
              help="inline: one process, no threads, for debugging; local: this machine; ray: a cluster.")  # fmt: skip
@click.option("--address", default="auto", show_default=True, help="Ray's: auto, local, or HOST:PORT.")
@click.option("--gpus-per-worker", type=click.FloatRange(0, 64), default=0.0, show_default=True,
              help="Ray: GPUs of each render process; 0.5 lets two share one.")  # fmt: skip
@click.option("--cpus-per-worker", type=click.IntRange(1, 1024), default=1, show_default=True,
              help="Ray: cores of each render process.")  # fmt: skip
@click.option("--grace", type=click.FloatRange(0, 86_400), default=20.0, show_default=True, metavar="SECONDS",
              help="After SIGTERM, how long the sequences at work may take.")  # fmt: skip
@JSON_OPTION
def run_command(
    job_file: Path, out: Place | None, executor: str, address: str,
    gpus_per_worker: float, cpus_per_worker: int, grace: float, as_json: bool,
) -> None:  # fmt: skip
    """Render JOB from here, on this machine or on a Ray cluster, and finish its dataset.

    On Ray, workers keep Blender warm, get one sequence after another, and are replaced where they or
    their nodes die. All nodes see the dataset's folder and have ffngen installed. The truth and the images
    are those that ffngen render makes, where --threads of the job is the same.

    \b
    ffngen farm run jobs/demo.yaml --executor ray --address auto --gpus-per-worker 0.5
    """
    job = read_job(job_file, out)
    reporter = RenderReporter(quiet=as_json, device_asked_for=job.device)
    context = open_context(job, progress=reporter.say)
    ray = RayOptions(address, gpus_per_worker, cpus_per_worker)
    show_run(
        job, reporter, lambda no_more: execute(context, executor, ray, no_more=no_more), grace=grace, as_json=as_json
    )


@command.command("retry")
@JOB_ARGUMENT
@OUT_OPTION
@click.option("--grace", type=click.FloatRange(0, 86_400), default=20.0, show_default=True, metavar="SECONDS",
              help="After SIGTERM, how long the sequences at work may take.")  # fmt: skip
@JSON_OPTION
def retry_command(job_file: Path, out: Place | None, grace: float, as_json: bool) -> None:
    """Render those sequences of JOB again that were given up, and no others.

    Exits with 1 when one fails again.
    """
    job = read_job(job_file, out)
    reporter = RenderReporter(quiet=as_json, device_asked_for=job.device)
    context = open_context(job, progress=reporter.say)
    names = {name for name, _, _ in failures(open_store(job.out))}
    show_run(
        job,
        reporter,
        lambda no_more: render_part(context, lambda plan: plan.name in names, part="retry", no_more=no_more),
        grace=grace,
        as_json=as_json,
    )


@command.command("finish")
@JOB_ARGUMENT
@OUT_OPTION
@JSON_OPTION
def finish_command(job_file: Path, out: Place | None, as_json: bool) -> None:
    """What comes after the last shard: the manifest, the job's labels, and the end of dead runs' unfinished work.

    It may be run before all is rendered, and again. Exits with 1 when sequences are missing.
    """
    job = read_job(job_file, out)
    context = open_context(job)
    run = open_run(context)
    failed: dict[str, str] = {}
    with make_progress(quiet=as_json) as progress:
        task = progress.add_task("finishing", total=None, note="")
        with closing(finish_dataset(context)) as states:
            for labels in states:
                progress.update(task, total=labels.missing, completed=labels.labelled + len(labels.failed))
                failed = labels.failed
    given_up = {name for name, _, _ in failures(open_store(job.out))}
    data = {
        "out": str(job.out),
        "sequences": len(run.plans),
        "complete": len(run.plans) - len(run.missing),
        "failed": sum(plan.name in given_up for plan in run.missing),
        "unlabelled": failed,
    }
    if as_json:
        click.echo(json.dumps(data, indent=1))
    else:
        click.echo(f"{data['complete']} of {data['sequences']} sequences are complete and in the manifest")
        if data["failed"]:
            click.echo(f"{data['failed']} were given up; ffngen farm retry {job_file} renders them again")
    if run.missing or failed:
        raise SystemExit(1)


@command.command("merge")
@click.argument("datasets", nargs=-1, required=True, type=PLACE)
@click.option("--out", required=True, type=PLACE, help="Folder of the new dataset, or s3://BUCKET/PREFIX.")
@JSON_OPTION
def merge_command(datasets: tuple[Place, ...], out: Place, as_json: bool) -> None:
    """Copy the complete sequences of several DATASETS of one job into one, with its manifest.

    Every file is compared with its digest on the way. A dataset at a URL comes home so, for verify, label
    and train. Datasets of different jobs are refused, and so are two that hold different flow, depth or
    masks of one sequence. Labels come along. A merge that was stopped goes on where it was.

    \b
    ffngen farm merge /site1/dataset /site2/dataset --out dataset
    ffngen farm merge s3://bucket/dataset --out dataset
    """
    with make_progress(quiet=as_json) as progress:
        task = progress.add_task("merging", total=None, note="")
        with closing(merge_datasets(datasets, out)) as states:
            for run in states:
                progress.update(task, total=run.missing, completed=run.merged)
    data = {"out": str(out), "sequences": run.sequences, "merged": run.merged, "shared": run.shared, "bytes": run.bytes}
    if as_json:
        click.echo(json.dumps(data, indent=1))
    else:
        click.echo(f"{out}: {run.sequences} sequences, {run.merged} of them new ({run.bytes / 1e9:.2f} GB)")
