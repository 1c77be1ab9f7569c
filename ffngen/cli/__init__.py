"""The command line: each command parses, calls one library function, and reports."""

from __future__ import annotations

from ffngen.cli.main import main

__all__ = ["main"]
