"""SLURM: the batch script of an array whose tasks are a job's shards, and handing it in."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from ffngen.atomic import write_atomic
from ffngen.dataset.layout import FARM_FOLDER
from ffngen.errors import DatasetError, JobError, MissingPackageError
from ffngen.url import ObjectUrl, Place, absolute

#: The scripts, and what each task printed.
SLURM_FOLDER = f"{FARM_FOLDER}/slurm"

#: Of the time between SLURM's notice and its SIGKILL, so much is left for ending.
_MARGIN_SECONDS = 15


@dataclass(frozen=True)
class SlurmOptions:
    """What the tasks of an array get.

    :param tasks: how many shards, one task each.
    :param at_once: how many tasks may run at the same time; as many as fit when None.
    :param notice: seconds before the time limit, at which SLURM sends SIGTERM; sequences at work may be completed.
    :param directives: sbatch's options, such as ``{"partition": "gpu", "gres": "gpu:1"}``.
    :param setup: shell lines that come first, such as ``module load ...``.
    :param command: what starts ffngen.
    """

    tasks: int
    at_once: int | None = None
    notice: int = 120
    directives: dict[str, str] = field(default_factory=dict)
    setup: tuple[str, ...] = ()
    command: tuple[str, ...] = ("ffngen",)

    def __post_init__(self) -> None:
        for name, value in self.directives.items():
            if not re.fullmatch(r"[a-z][a-z-]*", name) or not value.isprintable() or not value or " " in value:
                raise JobError(f"{name}={value!r} is no option of sbatch", where="submit")


_ARRAY = """\
#!/bin/bash
{directives}

# A task that runs twice, or again after its node died, renders what is still missing of its shard.
{setup}# A step, for SLURM's notice before it preempts goes to steps alone.
srun --ntasks=1 ${{SLURM_CPUS_PER_TASK:+--cpus-per-task=$SLURM_CPUS_PER_TASK}} \\
    {command}
code=$?
# 143: SIGTERM came before all was rendered. A task that was cancelled is not RUNNING and does not come back.
if [ "$code" = 143 ] && [ "$(squeue -h -j "$SLURM_JOB_ID" -o %T)" = RUNNING ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
"""

_FINISH = """\
#!/bin/bash
{directives}

# Comes after the last task, however that ended.
{setup}{command}
"""


def array_script(job_file: Path, out: Place, options: SlurmOptions) -> str:
    """The text of the array's sbatch file."""
    limit = f"%{options.at_once}" if options.at_once is not None else ""
    directives = {
        "job-name": "ffngen",
        "array": f"0-{options.tasks - 1}{limit}",
        "output": _log(out, "%A_%a"),
        "open-mode": "append",
        "requeue": None,
        "signal": f"TERM@{options.notice}",
        **options.directives,
    }
    grace = max(1, options.notice - _MARGIN_SECONDS)
    command = [*options.command, "render", str(job_file.absolute()), "--out", str(absolute(out))]
    shard = f'--shard "$SLURM_ARRAY_TASK_ID/{options.tasks}" --grace {grace}'
    return _ARRAY.format(directives=_lines(directives), setup=_setup(options), command=f"{shlex.join(command)} {shard}")


def finish_script(job_file: Path, out: Place, options: SlurmOptions) -> str:
    """The text of the sbatch file of what comes after the array: ``ffngen farm finish``."""
    directives = {
        "job-name": "ffngen-finish",
        "output": _log(out, "finish-%j"),
        # It renders nothing.
        **{name: value for name, value in options.directives.items() if not name.startswith(("gres", "gpus"))},
    }
    command = [*options.command, "farm", "finish", str(job_file.absolute()), "--out", str(absolute(out))]
    return _FINISH.format(directives=_lines(directives), setup=_setup(options), command=shlex.join(command))


def _log(out: Place, name: str) -> str:
    """Where SLURM writes what a task prints: a file, which an object store cannot be."""
    return f"{out.absolute()}/{SLURM_FOLDER}/{name}.log" if isinstance(out, Path) else f"ffngen-{name}.log"


def _lines(directives: dict[str, str | None] | dict[str, str]) -> str:
    return "\n".join(
        f"#SBATCH --{name}" if value is None else f"#SBATCH --{name}={value}" for name, value in directives.items()
    )


def _setup(options: SlurmOptions) -> str:
    return "".join(f"{line}\n" for line in options.setup)


def submit(job_file: Path, out: Place, options: SlurmOptions) -> tuple[str, str]:
    """Write both scripts below the dataset's ``.farm`` and hand them in.

    :returns: the numbers of the array and of what comes after it.
    :raises DatasetError: they cannot be written.
    :raises MissingPackageError: there is no SLURM here.
    :raises JobError: SLURM refuses them.
    """
    if isinstance(out, ObjectUrl):
        what, mend = "SLURM's scripts and logs need a folder", "--print the script and hand it in with sbatch"
        raise JobError(what, where=str(out), mend=mend)
    folder = out / SLURM_FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"cannot be made: {error.strerror}", where=folder) from error
    texts = {"array": array_script(job_file, out, options), "finish": finish_script(job_file, out, options)}
    for name, text in texts.items():
        write_atomic(folder / f"{name}.sbatch", text.encode())
    array = _sbatch(folder / "array.sbatch")
    return array, _sbatch(folder / "finish.sbatch", f"--dependency=afterany:{array}")


def _sbatch(script: Path, *options: str) -> str:
    try:
        done = subprocess.run(
            ["sbatch", "--parsable", *options, str(script)], check=False, capture_output=True, text=True
        )
    except FileNotFoundError as error:
        mend = "run it where SLURM is, or --print the script"
        raise MissingPackageError("sbatch is not installed", mend=mend) from error
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise JobError(f"SLURM refuses the job: {reason[0]}", where=script)
    # NUMBER, or NUMBER;CLUSTER.
    return done.stdout.strip().partition(";")[0]
