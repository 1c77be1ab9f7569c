"""What each flow format costs and loses, on the flows of a rendered dataset: bytes, error, writing, reading, some rows.

make demo && python tests/bench/flow_formats.py dataset [--json] [--quick]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import click
import numpy as np
from _measure import report, scratch_folder

from ffngen.dataset.read import FlowDataset
from ffngen.flow.files import FlowFormat, read_flow, write_flow
from ffngen.flow.values import Flow

#: The compact format's bounds: its share of .flo's bytes, and its largest error, pixels.
SHARE_BOUND, ERROR_BOUND = 0.1, 0.005
_PAIRS = 12


def milliseconds(work: Callable[[], object]) -> float:
    """The median of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * median(times)


#: A name, the suffix of its files, and what writes one.
Writer = tuple[str, str, Callable[[Path, Flow], object]]

WRITERS: list[Writer] = [
    *((f.value, f.suffix, lambda path, flow, f=f: write_flow(path, flow, flow_format=f)) for f in FlowFormat),  # type: ignore[misc]
    ("kitti", ".png", write_flow),
    ("pfm", ".pfm", write_flow),
]


def measure(flows: list[Flow], writer: Writer, folder: Path) -> dict[str, float]:
    """Means over the flows."""
    _, suffix, write = writer
    rows: list[tuple[float, ...]] = []
    for flow in flows:
        path = folder / f"flow{suffix}"
        middle = slice(flow.shape[0] // 2, flow.shape[0] // 2 + 64)
        writing = milliseconds(lambda p=path, f=flow: write(p, f))  # type: ignore[misc]
        reading = milliseconds(lambda p=path: read_flow(p))  # type: ignore[misc]
        part = milliseconds(lambda p=path, m=middle: read_flow(p, m))  # type: ignore[misc]
        error = float(np.abs(read_flow(path).astype(float) - flow).max())
        rows.append((path.stat().st_size / (12 + flow.nbytes), error, writing, reading, part))
    values = np.array(rows)
    result = dict(
        zip(("share_of_flo", "error", "write_ms", "read_ms", "rows_ms"), values.mean(0).tolist(), strict=True)
    )
    return result | {"error": float(values[:, 1].max())}


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path), default=Path("dataset"))
@click.option("--quick", is_flag=True, help="Two flows, which show that the bench runs and little more.")
@click.option("--json", "as_json", is_flag=True)
def main(dataset: Path, quick: bool, as_json: bool) -> None:
    """Measure every format."""
    data = FlowDataset(dataset)
    chosen = np.linspace(0, len(data) - 1, 1 if quick else min(_PAIRS, len(data))).astype(int)
    flows = [flow for i in chosen for flow in (data[int(i)].facial_flow, data[int(i)].head_flow)]
    with scratch_folder() as folder:
        results = {writer[0]: measure(flows, writer, folder) for writer in WRITERS}
    compact = results[FlowFormat.COMPACT.value]
    summary = {
        "bench": "flow_formats",
        "flows": len(flows),
        "formats": results,
        "share_bound": SHARE_BOUND,
        "error_bound": ERROR_BOUND,
        "within_bounds": compact["share_of_flo"] <= SHARE_BOUND and compact["error"] <= ERROR_BOUND,
    }
    lines = [f"{len(flows)} flows of {dataset}, {flows[0].shape[1]}x{flows[0].shape[0]}"]
    lines += [
        f"{name:>9}  {r['share_of_flo']:7.1%} of .flo  error {r['error']:.1e} px  write {r['write_ms']:5.1f} ms"
        f"  read {r['read_ms']:5.2f} ms  64 rows {r['rows_ms']:5.2f} ms"
        for name, r in results.items()
    ]
    report(summary, as_json, lines)


if __name__ == "__main__":
    main()
