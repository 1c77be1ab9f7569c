"""Whole commands as processes of their own, with a stand-in for Blender, and datasets compared file by file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stand_in import STAND_IN

JOB = """
texture_size: 64
resolution: 32
samples: 1
n_frames: [2, 3]
identities: 2
props: none
workers: 1
threads: 1
"""
#: The job's sequences.
SEQUENCES = 4

#: A program that is the command, with a stand-in for Blender: ``python -c PROGRAM STAND_IN ARGUMENTS``.
PROGRAM = """
import sys
from ffngen.render import process
process.COMMANDS["cycles"] = (sys.executable, sys.argv[1])
from ffngen.cli import main
main(sys.argv[2:])
"""


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start ``ffngen ARGUMENTS`` with the stand-in."""
    command = [sys.executable, "-c", PROGRAM, str(STAND_IN), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start_real(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start ``ffngen ARGUMENTS`` with Blender."""
    program = "import sys; from ffngen.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for a command to end with a code; returns its standard output."""
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    return stdout


def files(root: Path) -> dict[str, bytes]:
    """Every file and folder of a dataset but the notes of its runs."""
    found = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if relative.parts[0] != ".farm":
            found[str(relative)] = path.read_bytes() if path.is_file() else b""
    return found
