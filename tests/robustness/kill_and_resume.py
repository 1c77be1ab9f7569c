"""Kill ``ffngen render`` over and over, and show that the dataset it ends up with is the undisturbed one.

    python tests/robustness/kill_and_resume.py --kills 50

SIGKILL goes to the command itself or to one of its render processes: at a random moment of its run (its start
included), while a sequence is moved into place, or while the manifest is written. Each run goes on in the folder that
the last one left; a dataset that gets finished is compared, deleted, and begun anew, so that every kill meets real
work. Only a kill of a process that was alive is counted. At the end the command is left alone, and must exit with 0
and leave the very files of the undisturbed dataset: nothing more, no process, no unfinished work.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

JOB = """
n_frames: [2, 3]
identities: 2
resolution: 48
samples: 1
texture_size: 64
workers: 2
threads: 1
device: cpu
"""

#: How many sequences the job comes to.
SEQUENCES = 4

#: Seconds in which the processes of a killed command must be gone.
_GRACE = 5.0

#: How often each kind of moment is chosen.
_MOMENTS = {"any time": 0.7, "moving into place": 0.2, "writing the manifest": 0.1}


@dataclass
class Kill:
    """One kill that met a live process."""

    run: int
    target: str
    moment: str
    seconds: float
    complete: int

    def __str__(self) -> str:
        return f"run {self.run}, {self.seconds:5.2f} s: {self.target}, {self.moment}; {self.complete} complete"


@dataclass
class Result:
    """What a session of kills came to; ``faults`` is empty when all is well."""

    kills: list[Kill] = field(default_factory=list)
    runs: int = 0
    datasets: int = 0
    exit_codes: Counter[int] = field(default_factory=Counter)
    seconds_undisturbed: float = 0.0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def children(pid: int) -> list[int]:
    """The live children of a process, zombies left out."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(f"/proc/{entry.name}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def digests(root: Path) -> dict[str, str]:
    """Every file below a folder, and every folder, with the SHA-256 of what a file holds."""
    return {
        str(path.relative_to(root)): "" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
    }


class Session:
    """Kills, restarts and compares."""

    def __init__(self, folder: Path, *, seed: int, talk: bool, job: str = JOB) -> None:
        self.folder = folder
        self.job = folder / "job.yaml"
        self.job.write_text(job)
        self.rng = random.Random(seed)
        self.talk = talk
        self.result = Result()

    def say(self, text: str) -> None:
        """Print a line, unless told to be quiet."""
        if self.talk:
            print(text, flush=True)

    def start(self, out: Path) -> subprocess.Popen[bytes]:
        """Start the command."""
        program = "import sys; from ffngen.cli import main; main(sys.argv[1:])"
        command = [sys.executable, "-c", program, "render", str(self.job), "--out", str(out), "--json"]
        with (self.folder / "stderr.log").open("ab") as log:
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)

    def undisturbed(self) -> dict[str, str]:
        """The dataset that nobody disturbs."""
        begin = time.monotonic()
        out = self.folder / "undisturbed"
        if code := self.start(out).wait():
            raise SystemExit(f"the undisturbed run ended with {code}:\n{(self.folder / 'stderr.log').read_text()}")
        self.result.seconds_undisturbed = time.monotonic() - begin
        return digests(out)

    def run(self, kills: int) -> Result:
        """Deliver so many kills, let the last run finish, and compare."""
        begin = time.monotonic()
        expected = self.undisturbed()
        self.say(f"undisturbed: {len(expected)} paths in {self.result.seconds_undisturbed:.1f} s")
        out = self.folder / "killed"
        while True:
            self.result.runs += 1
            code = self.one_run(out, kills)
            self.result.exit_codes[code] += 1
            # 1: a sequence's processes were killed three times over, and it was given up; the next run makes it.
            if code not in (0, 1, -signal.SIGKILL):
                self.result.faults.append(f"run {self.result.runs} ended with {code}")
                break
            if code == 0:
                self.compare(out, expected)
                if len(self.result.kills) >= kills:
                    break
                shutil.rmtree(out)
        self.result.seconds = time.monotonic() - begin
        return self.result

    def one_run(self, out: Path, kills: int) -> int:
        """Start the command and kill at it until it ends; returns its exit code."""
        process = self.start(out)
        begin = time.monotonic()
        seen: set[int] = set()
        target = None
        while process.poll() is None and len(self.result.kills) < kills:
            wants_child = self.rng.random() < 0.5
            while wants_child and process.poll() is None and not children(process.pid):
                time.sleep(0.005)
            moment = self.wait_for_moment(process, out)
            processes = children(process.pid)
            seen.update(processes)
            if process.poll() is not None:
                break
            # By the time that the manifest is written there is no render process any more.
            target = self.rng.choice(processes) if wants_child and processes else process.pid
            try:
                os.kill(target, signal.SIGKILL)
            except ProcessLookupError:
                continue
            who = "the command" if target == process.pid else "a render process"
            complete = len(list(out.glob("metadata/*/*/*/metadata.json")))
            kill = Kill(self.result.runs, who, moment, time.monotonic() - begin, complete)
            self.result.kills.append(kill)
            self.say(f"kill {len(self.result.kills):3d}: {kill}")
            if target == process.pid:
                break
        code = process.wait()
        if target == process.pid and code != -signal.SIGKILL:
            self.result.kills.pop()
            self.say("          (it had just ended by itself: not counted)")
        seen.update(children(process.pid))
        deadline = time.monotonic() + _GRACE
        while any(map(is_alive, seen)) and time.monotonic() < deadline:
            time.sleep(0.01)
        orphans = [pid for pid in seen if is_alive(pid)]
        if orphans:
            self.result.faults.append(f"run {self.result.runs} left {len(orphans)} processes behind")
        return code

    def wait_for_moment(self, process: subprocess.Popen[bytes], out: Path) -> str:
        """Wait until it is time to kill, or the command ends; returns what the moment is."""
        (moment,) = self.rng.choices(list(_MOMENTS), list(_MOMENTS.values()))
        placed = _placed(out)
        # What a run may still last: its start, and the sequences that are missing.
        share = 0.3 + 0.7 * (1 - placed / SEQUENCES)
        deadline = time.monotonic() + self.rng.uniform(0, share * self.result.seconds_undisturbed)
        while process.poll() is None:
            if moment == "any time":
                if time.monotonic() >= deadline:
                    break
                time.sleep(0.005)
            elif moment == "moving into place":
                if _placed(out) > placed:
                    time.sleep(self.rng.uniform(0, 0.004))
                    break
                time.sleep(0.0002)
            else:
                if any(out.glob(".partial/*/.manifest.*")):
                    break
                time.sleep(0.0002)
        return moment

    def compare(self, out: Path, expected: dict[str, str]) -> None:
        """Record how a finished dataset differs from the undisturbed one."""
        self.result.datasets += 1
        found = digests(out)
        for path in sorted(expected.keys() | found.keys()):
            if path not in found:
                self.result.faults.append(f"{path} is lost")
            elif path not in expected:
                self.result.faults.append(f"{path} was left behind")
            elif found[path] != expected[path]:
                self.result.faults.append(f"{path} differs")


def _placed(out: Path) -> int:
    """How many sequences have begun to lie in place: the first folder that is moved."""
    return sum(1 for _ in out.glob("image/facial/*/*/*"))


def main() -> int:
    """Run a session and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the result as JSON alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ffngen-kill-") as folder:
        result = Session(Path(folder), seed=options.seed, talk=not options.json).run(options.kills)
    targets = Counter(kill.target for kill in result.kills)
    moments = Counter(kill.moment for kill in result.kills)
    summary = {
        "kills": len(result.kills),
        "targets": targets,
        "moments": moments,
        "runs": result.runs,
        "exit_codes": result.exit_codes,
        "datasets_compared": result.datasets,
        "seconds_undisturbed": round(result.seconds_undisturbed, 1),
        "seconds": round(result.seconds, 1),
        "faults": result.faults,
    }
    if options.json:
        print(json.dumps(summary, indent=1))
    else:
        for name, value in summary.items():
            print(f"{name:>20}  {dict(value) if isinstance(value, Counter) else value}")
        print("passed" if not result.faults else "FAILED")
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(main())
