"""What a sequence costs: estimated, or measured on sequences that were rendered."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ffngen.dataset.context import JobContext
from ffngen.dataset.layout import METADATA_FOLDER, Record
from ffngen.dataset.metadata import read_sequence
from ffngen.dataset.plan import FLOW_BYTES, SequencePlan, estimate_bytes, estimate_core_seconds
from ffngen.dataset.render import RenderRun, render_dataset
from ffngen.dataset.store import Store
from ffngen.errors import RenderError
from ffngen.farm.journal import read_journals
from ffngen.job import Job


@dataclass(frozen=True)
class Cost:
    """Seconds of one render process: ``seconds_per_sequence`` and, for each colour image, ``seconds_per_image`` more.

    :param source: where the figures come from, as words.
    :param bytes_per_image: of a colour image with its share of the sequence's other files; None: estimated.
    :param bytes_per_sequence: of what does not grow with the sequence.
    :param device: what Cycles rendered on where it was measured: CPU, OPTIX, ...; None: not measured, or on several.
    """

    source: str
    seconds_per_sequence: float
    seconds_per_image: float
    bytes_per_image: float | None = None
    bytes_per_sequence: float = 0.0
    device: str | None = None

    @property
    def is_of_gpus(self) -> bool:
        """Whether a second of a process is one of a GPU: processes get one each."""
        return self.device not in (None, "CPU")

    def seconds(self, plan: SequencePlan) -> float:
        """What a sequence takes."""
        return self.seconds_per_sequence + plan.images * self.seconds_per_image

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def estimated_cost(job: Job, plans: list[SequencePlan], threads: int) -> Cost:
    """From the demo's cost on a CPU (:func:`ffngen.dataset.plan.estimate_core_seconds`).

    :param threads: cores of a render process.
    """
    images = max(1, plans[0].images) if plans else 1
    core_seconds = estimate_core_seconds(job, plans[0]) if plans else 0.0
    return Cost(f"estimated, for {threads} CPU threads", 0.0, core_seconds / images / threads)


def noted_cost(store: Store, digest: str) -> Cost | None:
    """From what a dataset's runs have noted of this job's sequences; None where they noted nothing."""
    samples: list[tuple[int, float]] = []
    devices: set[str | None] = set()
    for _, lines in read_journals(store):
        is_same, device = False, None
        for line in lines:
            if line["event"] == "begin":
                is_same, device = line.get("job_digest") == digest, line.get("device")
            elif line["event"] == "done" and is_same:
                images, seconds = line.get("images"), line.get("seconds")
                if isinstance(images, int) and isinstance(seconds, int | float) and images > 0 and seconds > 0:
                    samples.append((images, seconds))
                    devices.add(device if isinstance(device, str) else None)
    if not samples:
        return None
    cost = _fit(samples, f"measured on {len(samples)} sequences of this dataset")
    return replace(cost, device=next(iter(devices))) if len(devices) == 1 else cost


def probe_cost(context: JobContext, plans: list[SequencePlan]) -> Cost:
    """Render two of the shortest sequences of a job into a temporary folder; measure their disk, and the second's time.

    The first one pays for starting Blender and for what a GPU prepares.

    :raises RenderError: it could not be rendered.
    """
    shortest = min(plan.images for plan in plans)
    chosen = [plan for plan in plans if plan.images == shortest][:2]
    names = {plan.name for plan in chosen}
    with tempfile.TemporaryDirectory(prefix="ffngen-probe-") as folder:
        out = Path(folder) / "probe"
        job = context.job.model_copy(update={"out": out, "workers": 1, "labels": (), "label_pairs": ()})
        times: list[float] = []
        threads, device = 1, ""
        with closing(render_dataset(replace(context, job=job), select=lambda plan: plan.name in names)) as states:
            for run, event in states:
                _require(run)
                if run.layout is not None:
                    threads, device = run.layout.threads, run.layout.device.kind
                if event is not None and event.kind == "frame" and event.frame is not None:
                    times.append(event.frame.seconds)
        sizes = np.mean([_bytes(out, plan) for plan in chosen], axis=0)
    # Each sequence has the same frames; the second one's come last.
    seconds = sum(times[-len(times) // len(chosen) :])
    return Cost(
        f"measured on one sequence here, on {device} with {threads} threads",
        0.0,
        seconds / shortest,
        float(sizes[0]),
        float(sizes[1]),
        device,
    )


def _bytes(root: Path, plan: SequencePlan) -> tuple[float, float]:
    """Bytes of a sequence for each image, and those beside, so that longer sequences come out right.

    There is one mask and depth for each facial frame, two flows for each pair, vertices for each image.
    """
    sizes: Counter[str] = Counter()
    for path, entry in read_sequence(root, plan.layout.key).files.items():
        sizes[PurePosixPath(path).name if path.startswith(METADATA_FOLDER) else path.split("/")[0]] += entry.bytes
    frames, pairs = len(plan.layout.facial_frames), plan.pairs
    per_frame, per_pair = (sizes["mask"] + sizes["depth"]) / frames, sizes["flow"] / pairs
    # Of m images (m + 1) / 2 are facial frames, and (m - 1) / 2 head-only ones, of which each has a pair.
    per_image = (sizes["image"] + sizes[Record.VERTICES.value]) / plan.images + (per_frame + per_pair) / 2
    return per_image, sizes[Record.CONTACT_SHEET.value] + (per_frame - per_pair) / 2


def _require(run: RenderRun) -> None:
    for name, reason in run.failed.items():
        raise RenderError(f"the probe failed: {reason}", where=name)


def _fit(samples: list[tuple[int, float]], source: str) -> Cost:
    """Least squares of seconds over images, where there are several lengths; no negative part."""
    images, seconds = np.array(samples, dtype=np.float64).T
    if len(np.unique(images)) > 1:
        slope, fixed = np.polyfit(images, seconds, 1)
        if slope > 0 and fixed >= 0:
            return Cost(source, float(fixed), float(slope))
    return Cost(source, 0.0, float(seconds.sum() / images.sum()))


def disk_by_flow_format(job: Job, plans: list[SequencePlan], cost: Cost) -> dict[str, int]:
    """Bytes of sequences with each flow format in turn; other files as they are.

    Measured for the job's own format where the cost has measured it; the others differ by the estimated bytes of flow.
    """
    own = sum(
        estimate_bytes(job, plan)
        if cost.bytes_per_image is None
        else int(cost.bytes_per_sequence + plan.images * cost.bytes_per_image)
        for plan in plans
    )
    flows = sum(2 * plan.pairs for plan in plans) * job.width * job.height
    return {name: int(own + flows * (size - FLOW_BYTES[job.flow_format])) for name, size in FLOW_BYTES.items()}
