"""What an object store costs a run: each sequence of a dataset brought into a folder, and into a real S3 server here.

    make demo && python tests/bench/farm_s3.py dataset [--latency 0.03]

Prints milliseconds and requests per sequence. ``--latency`` adds so many seconds to each request, as a server farther
away does; the server here is moto's, which answers within the same Python and is far slower than one in C.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from s3_server import BUCKET, s3_server

from ffngen.dataset.layout import complete_sequences
from ffngen.dataset.metadata import SequenceMetadata, read_sequence
from ffngen.dataset.store import Store, open_store
from ffngen.url import parse_place


def measure(store: Store, root: Path, sequences: list[SequenceMetadata]) -> float:
    """Seconds per sequence; each is staged first, which does not count."""
    seconds = 0.0
    for metadata in sequences:
        with store.run_folder() as scratch:
            staged = scratch / metadata.sequence
            for path in metadata.files:
                (staged / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / path, staged / path)
            start = time.monotonic()
            store.put_sequence(staged, metadata)
            seconds += time.monotonic() - start
    return seconds / len(sequences)


def main() -> int:
    """Measure, and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", type=Path, nargs="?", default=Path("dataset"))
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to each request")
    options = parser.parse_args()
    sequences = [read_sequence(options.dataset, key) for key in complete_sequences(options.dataset)]
    files = sum(len(metadata.files) + 1 for metadata in sequences) / len(sequences)
    size = sum(entry.bytes for metadata in sequences for entry in metadata.files.values()) / len(sequences)
    print(f"{len(sequences)} sequences of {files:.0f} files and {size / 1e6:.1f} MB on average")
    with tempfile.TemporaryDirectory(prefix="ffngen-s3-") as folder:
        seconds = measure(open_store(Path(folder) / "out"), options.dataset, sequences)
        print(f"{'folder':>12}  {1000 * seconds:7.1f} ms per sequence")
    with s3_server() as server:

        def wait(method: str, path: str) -> int | None:
            time.sleep(options.latency)
            return None

        server.fault = wait if options.latency else None
        store = open_store(parse_place(f"s3://{BUCKET}/bench"))
        server.asked.clear()
        seconds = measure(store, options.dataset, sequences)
        requests = len(server.asked) / len(sequences)
        print(f"{'S3':>12}  {1000 * seconds:7.1f} ms per sequence, {requests:.0f} requests each")
        server.asked.clear()
        start = time.monotonic()
        found = len(store.complete())
        print(
            f"{'listing':>12}  {1000 * (time.monotonic() - start):7.1f} ms, {len(server.asked)} requests, {found} found"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
