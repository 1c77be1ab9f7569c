"""How many sequences with wrong pictures does `ffngen verify` find, and how many right ones does it call wrong?

    python tests/bench/verify_images.py DATASET [--sequences 24]

For each sequence its own pictures are checked, and then the same pictures in the wrong places: in reversed order, the
first one twice, each one a frame late, and facial and head-only pictures exchanged. Digests play no part.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ffngen.dataset.check_truth import check_truth
from ffngen.dataset.layout import Output, Record, SequenceLayout, complete_sequences, metadata_folder
from ffngen.dataset.metadata import read_metadata

IMAGE_FAULTS = ("image-motion", "image-exchange", "image-background")


def _reversed(layout: SequenceLayout) -> dict[str, str]:
    names = [layout.file(Output.FACIAL_IMAGE, t) for t in layout.facial_frames]
    return dict(zip(names, names[::-1], strict=True))


def _repeated(layout: SequenceLayout) -> dict[str, str]:
    first, second = layout.facial_frames[:2]
    return {layout.file(Output.FACIAL_IMAGE, second): layout.file(Output.FACIAL_IMAGE, first)}


def _late(layout: SequenceLayout) -> dict[str, str]:
    names = [layout.file(Output.FACIAL_IMAGE, t) for t in layout.facial_frames]
    return dict(zip(names[1:], names[:-1], strict=True))


def _exchanged(layout: SequenceLayout) -> dict[str, str]:
    pairs = [
        (layout.file(Output.FACIAL_IMAGE, t), layout.file(Output.HEAD_IMAGE, t))
        for t in layout.frames(Output.HEAD_IMAGE)
    ]
    return dict(pairs) | {head: facial for facial, head in pairs}


#: For each way to be wrong, which file's content stands in which file's place.
WRONGS: dict[str, Callable[[SequenceLayout], dict[str, str]]] = {
    "as rendered": lambda layout: {},
    "reversed": _reversed,
    "the first one twice": _repeated,
    "a frame late": _late,
    "facial and head-only exchanged": _exchanged,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--sequences", type=int, default=24)
    parser.add_argument("--show", action="store_true", help="say of each sequence what was found")
    options = parser.parse_args()
    keys = complete_sequences(options.dataset)
    keys = [keys[i * len(keys) // options.sequences] for i in range(options.sequences)][: len(keys)]
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=options.dataset.parent) as folder:
        copy = Path(folder) / "dataset"
        shutil.copytree(options.dataset, copy, copy_function=os.link)
        for key in keys:
            metadata = read_metadata(copy / metadata_folder(key) / Record.METADATA.value)
            for name, wrong in WRONGS.items():
                places = wrong(metadata.layout)
                for place, content in places.items():
                    (copy / place).unlink()
                    os.link(options.dataset / content, copy / place)
                _, failures = check_truth(copy, metadata)
                faults = [failure for failure in failures if failure.fault.value in IMAGE_FAULTS]
                found[name] += bool(faults)
                if options.show and (faults or name != "as rendered"):
                    print(f"{key}, {name}: {faults[0].message if faults else 'nothing found'}")
                for place in places:
                    (copy / place).unlink()
                    os.link(options.dataset / place, copy / place)
    for name in WRONGS:
        print(f"{name}: found in {found[name]} of {len(keys)}")


if __name__ == "__main__":
    main()
