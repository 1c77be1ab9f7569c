"""Labels: CPU seconds of a frame, bytes of a file, and the worst figures of ``ffngen verify``.

python tests/bench/labels.py [--json]
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import click
from _measure import report, scratch_folder

from ffngen.dataset.context import open_context
from ffngen.dataset.labels.layout import LabelKind, parse_kinds
from ffngen.dataset.labels.make import label_dataset
from ffngen.dataset.labels.record import read_labels
from ffngen.dataset.read import FlowDataset
from ffngen.dataset.render import render_dataset
from ffngen.dataset.verify import verify_dataset
from ffngen.job import Job

FRAMES, IDENTITIES = 3, 2


def _render(out: Path) -> None:
    # One sample: the colour is not what is measured.
    job = Job(out=out, n_frames=(FRAMES,), identities=IDENTITIES, samples=1, denoise=False, device="cpu")
    with closing(render_dataset(open_context(job))) as states:
        for _run, _event in states:
            pass


def _label(out: Path, kinds: tuple[LabelKind, ...]) -> float:
    """CPU seconds of a frame."""
    start = time.process_time()
    for _run in label_dataset(out, kinds, (2,)):
        pass
    return (time.process_time() - start) / (FRAMES * IDENTITIES)


def _sizes(out: Path) -> dict[str, int]:
    """Label -> mean bytes of a file."""
    found = defaultdict(list)
    data = FlowDataset(out)
    for key in data.sequences:
        record = read_labels(out, data.metadata(key))
        assert record is not None
        for path, entry in record.files.items():
            found[path.split("/")[0]].append(entry.bytes)
    return {name: sum(sizes) // len(sizes) for name, sizes in found.items() if name != "metadata"}


def _figures(out: Path) -> dict[str, float]:
    worst: dict[str, float] = {}
    for truth in verify_dataset(out).labels:
        for one in truth.figures:
            name = f"{one.fault.value} {one.what}"
            worst[name] = max(one.value, worst.get(name, 0.0))
    return worst


@click.command()
@click.option("--json", "as_json", is_flag=True)
def main(as_json: bool) -> None:
    """Render a small dataset, label and verify it."""
    with scratch_folder() as scratch:
        out = scratch / "dataset"
        _render(out)
        seconds = _label(out, (*parse_kinds(("all",)), LabelKind.PAIRS))
        sizes, figures = _sizes(out), _figures(out)
    summary = {"bench": "labels", "cpu_seconds_per_frame": seconds, "bytes": sizes, "worst": figures}
    lines = [f"{seconds:.2f} CPU-s per frame at 512 x 512"]
    lines += [f"{name:<22}{size / 1000:>10.1f} kB" for name, size in sizes.items()]
    lines += [f"{name:<32}{json.dumps(float(f'{value:.2g}')):>10}" for name, value in figures.items()]
    report(summary, as_json, lines)


if __name__ == "__main__":
    main()
