"""The same job gives the same bytes, however many processes and threads make it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.bpy

JOB = "texture_size: 64\nresolution: 64\nsamples: 2\nn_frames: [2, 3]\nidentities: 2\ndevice: cpu\n"

Files = dict[str, bytes]


def render(folder: Path, name: str, *options: str) -> Files:
    (folder / "job.yaml").write_text(JOB)
    out = folder / name
    program = "import sys; from ffngen.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, "render", str(folder / "job.yaml"), "--out", str(out), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return render(tmp_path_factory.mktemp("one"), "dataset", "--workers", "1", "--threads", "1")


def test_number_of_processes(one_process: Files, tmp_path: Path) -> None:
    """Every file; the second process meets the sequences in another order, after others."""
    two = render(tmp_path, "dataset", "--workers", "2", "--threads", "1")
    assert sum(name.startswith("image/") for name in two) == 2 * (2 + 1 + 3 + 2)
    assert two.keys() == one_process.keys()
    assert [name for name in two if two[name] != one_process[name]] == []


def test_number_of_threads(one_process: Files, tmp_path: Path) -> None:
    """All truth; the bytes of images may depend on it."""
    more = render(tmp_path, "dataset", "--workers", "1", "--threads", "3")
    assert more.keys() == one_process.keys()
    truth = [name for name in more if name.startswith(("flow/", "depth/", "mask/")) or name.endswith("vertices.npz")]
    assert len(truth) == 2 * (2 * 1 + 2 + 2) + 2 * (2 * 2 + 3 + 3) + 4
    assert [name for name in truth if more[name] != one_process[name]] == []
