"""How far a dataset is, from its folders and from what its runs have noted."""

from __future__ import annotations

import heapq
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ffngen.dataset.dataset_file import MAX_BYTES
from ffngen.dataset.layout import DATASET_FILE, log_path, require_dataset
from ffngen.dataset.store import Store, open_store
from ffngen.errors import FfngenError
from ffngen.farm.journal import read_journals
from ffngen.url import Place

#: A run that has missed so many signs of life is taken for dead.
_MISSED = 4
_SLOWEST = 5
_LISTED = 20


@dataclass
class Node:
    """What one machine's runs have done."""

    runs: int = 0
    alive: int = 0
    done: int = 0
    failed: int = 0
    retries: int = 0
    seconds: float = 0.0
    images: int = 0
    per_hour: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            **{name: getattr(self, name) for name in ("runs", "alive", "done", "failed", "retries")},
            "seconds_per_image": round(self.seconds / self.images, 4) if self.images else None,
            "sequences_per_hour": round(self.per_hour, 2),
        }


@dataclass
class Status:
    """The state of a dataset.

    :param total: how many sequences the job has; None where no run has said.
    :param done: how many are complete.
    :param running: name of each sequence at work -> the node.
    :param failed: name of each sequence that was given up and is not complete -> the reason.
    :param logs: name of each of these -> the path of its log, relative to the root.
    :param interrupted: runs that ended without a word, such as on a dead node.
    :param slowest: (seconds, name, node), the slowest first.
    """

    root: Place
    total: int | None
    done: int
    running: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    interrupted: int = 0
    nodes: dict[str, Node] = field(default_factory=lambda: defaultdict(Node))
    slowest: list[tuple[float, str, str]] = field(default_factory=list)

    @property
    def per_hour(self) -> float:
        """Sequences per hour of the runs that live."""
        return sum(node.per_hour for node in self.nodes.values())

    @property
    def seconds_left(self) -> float | None:
        """Until all that has not failed is done; None where it cannot be told."""
        if self.total is None or self.per_hour <= 0:
            return None
        return max(0, self.total - self.done - len(self.failed)) / self.per_hour * 3600

    @property
    def causes(self) -> list[tuple[str, list[str]]]:
        """Reasons of failures, numbers and names taken out, with their sequences; the most frequent first."""
        groups: dict[str, list[str]] = defaultdict(list)
        for name, reason in sorted(self.failed.items()):
            groups[re.sub(r"\d+", "#", re.sub(rf"\b{re.escape(name)}\b", "SEQUENCE", reason))].append(name)
        return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))

    def log(self, name: str) -> str:
        """Where the log of a failed sequence lies."""
        return str(self.root / self.logs.get(name, log_path(name)))

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        left = self.seconds_left
        return {
            "dataset": str(self.root),
            "sequences": self.total,
            "done": self.done,
            "running": self.running,
            "failed": len(self.failed),
            "missing": None if self.total is None else self.total - self.done,
            "sequences_per_hour": round(self.per_hour, 2),
            "seconds_left": None if left is None else round(left),
            "interrupted_runs": self.interrupted,
            "slowest": [{"seconds": s, "sequence": name, "node": node} for s, name, node in self.slowest],
            "nodes": {host: node.to_json() for host, node in sorted(self.nodes.items())},
            "failures": [
                {"cause": cause, "count": len(names), "logs": [self.log(name) for name in names[:_LISTED]]}
                for cause, names in self.causes
            ],
        }


def read_status(place: Place) -> Status:
    """The state of a dataset.

    :raises DatasetError: there is none, or it cannot be used.
    """
    if isinstance(place, Path):
        require_dataset(place)
    store = open_store(place)
    complete = store.complete()
    status = Status(place, _stated_total(store), len(complete))
    names = {key.sequence for key in complete}
    for name, reason, log in failures(store):
        if name not in names:
            status.failed[name], status.logs[name] = reason, log
    silences = store.silences()
    for run, lines in read_journals(store):
        is_alive = silences.get(run, math.inf) < _MISSED * store.heartbeat
        _add_run(status, lines, is_alive=is_alive)
    # What is complete by now is not at work, whatever a run that is about to note it says.
    status.running = {name: host for name, host in status.running.items() if name not in names}
    status.slowest.sort(reverse=True)
    return status


def _stated_total(store: Store) -> int | None:
    """How many sequences a sampled job has, by ``dataset.json``; of a tracker's files only its runs know."""
    try:
        record = json.loads(store.read(DATASET_FILE, MAX_BYTES))
        return int(record["identities"]) * len(record["n_frames"]) if record["job"]["params"] == "sample" else None
    except (FfngenError, ValueError, TypeError, KeyError, RecursionError):
        return None


def failures(store: Store) -> Iterator[tuple[str, str, str]]:
    """The name of each sequence that was given up, the reason, which is its log's second line, and the log's path."""
    for path, text in store.logs():
        yield PurePosixPath(path).stem, "".join(text.splitlines()[1:2]).strip(), path


def _add_run(status: Status, lines: Iterable[dict[str, Any]], *, is_alive: bool) -> None:
    """Take in what one process has noted, which may be several runs, one after the other."""
    host, began, last, done = "?", 0.0, 0.0, 0
    at_work: set[str] = set()
    has_ended = True
    for line in lines:
        event, name, when = line["event"], str(line.get("name")), line.get("time")
        last = when if isinstance(when, int | float) else last
        node = status.nodes[host] if host != "?" else None
        if event == "begin":
            host, began, done, has_ended = str(line.get("host", "?")), last, 0, False
            at_work.clear()
            status.nodes[host].runs += 1
            total = line.get("job_sequences")
            if isinstance(total, int):
                status.total = max(status.total or 0, total)
        elif event == "started":
            at_work.add(name)
        elif event == "end":
            has_ended = True
        elif node is not None and event == "retry":
            node.retries += 1
        elif node is not None and event in ("done", "failed"):
            at_work.discard(name)
            done += 1
            _add_sequence(status, node, host, line)
    if host == "?" or has_ended:
        return
    if is_alive:
        node = status.nodes[host]
        node.alive += 1
        # By the run's own clock, so that clocks which differ from node to node do no harm.
        node.per_hour += 3600 * done / (last - began) if last > began else 0.0
        status.running |= dict.fromkeys(at_work, host)
    else:
        status.interrupted += 1


def _add_sequence(status: Status, node: Node, host: str, line: dict[str, Any]) -> None:
    if line["event"] == "failed":
        node.failed += 1
        return
    node.done += 1
    seconds, images = line.get("seconds"), line.get("images")
    if isinstance(seconds, int | float) and isinstance(images, int):
        node.seconds += seconds
        node.images += images
        heapq.heappush(status.slowest, (float(seconds), str(line.get("name")), host))
        if len(status.slowest) > _SLOWEST:
            heapq.heappop(status.slowest)
