"""A real SLURM of one node on this machine: munged, slurmctld and slurmd, for as long as a test needs them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "sinfo")

_CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=20
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


def why_not() -> str | None:
    """Why no SLURM can be started here, if so."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [name for name in _PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        return f"{', '.join(missing)} not installed (apt-get install slurm-wlm munge)"
    return None if os.geteuid() == 0 else "SLURM's daemons are started by root"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Slurm:
    """The daemons, and what is asked of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
        }
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *arguments: str, user: str | None = None) -> None:
        """Start a daemon in the foreground, as a child."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                [name, *arguments], env=self.environment, stdout=log, stderr=log, user=user, group=user
            )

    def start_controller(self) -> None:
        """Start the controller, which takes up the state that it has saved."""
        self.start("slurmctld", "-D")

    def stop(self, name: str, *, kill: bool = False) -> None:
        """End a daemon."""
        process = self._daemons.pop(name)
        process.kill() if kill else process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop_all(self) -> None:
        """End what runs, jobs that a failed test has left first: they would outlive the daemons."""
        subprocess.run(["scancel", "--full", "--signal=KILL", "--user", "root"], env=self.environment, check=False)
        time.sleep(0.5)
        for name in reversed(list(self._daemons)):
            self.stop(name)

    def ask(self, *command: str) -> str:
        """Run one of SLURM's commands; returns what it prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def states(self) -> dict[str, str]:
        """Job or task -> its state, of those that are not yet forgotten; two minutes' wait after a requeue is cut."""
        lines = self.ask("squeue", "-h", "-r", "-t", "all", "-o", "%i %T %r").splitlines()
        states = {}
        for name, state, reason in (line.split(maxsplit=2) for line in lines):
            states[name] = state
            if reason == "BeginTime":
                self.ask("scontrol", "update", f"JobId={name}", "StartTime=now")
        return states

    def wait(self, *jobs: str, seconds: float = 120) -> dict[str, str]:
        """Wait until jobs have ended; returns how each of their tasks did."""
        deadline = time.monotonic() + seconds
        while True:
            states = {name: state for name, state in self.states().items() if name.split("_")[0] in jobs}
            if not any(state in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING") for state in states.values()):
                return states
            assert time.monotonic() < deadline, states
            time.sleep(0.2)


@contextmanager
def slurm_cluster() -> Iterator[Slurm]:
    """A SLURM that is ready for jobs."""
    # Not in pytest's folder, into which munge's user cannot look.
    folder = Path(tempfile.mkdtemp(prefix="ffngen-slurm-"))
    folder.chmod(0o755)
    slurm = Slurm(folder)
    try:
        for name in ("munge", "state", "spool"):
            (folder / name).mkdir(mode=0o755)
        (folder / "munge" / "key").write_bytes(os.urandom(1024))
        (folder / "munge" / "key").chmod(0o400)
        for path in (folder / "munge", folder / "munge" / "key"):
            shutil.chown(path, "munge", "munge")
        host = socket.gethostname().partition(".")[0]
        values = {"host": host, "folder": folder, "controller_port": _free_port(), "node_port": _free_port()}
        (folder / "slurm.conf").write_text(_CONFIGURATION.format(**values))
        files = {"key": "key", "socket": "socket", "pid": "pid", "seed": "seed"}
        options = [f"--{name}-file={folder}/munge/{file}" for name, file in files.items() if name != "socket"]
        slurm.start("munged", "--foreground", f"--socket={folder}/munge/socket", *options, user="munge")
        _wait_for(lambda: (folder / "munge" / "socket").exists())
        slurm.start_controller()
        slurm.start("slurmd", "-D")
        _wait_for(lambda: _is_ready(slurm))
        yield slurm
    finally:
        slurm.stop_all()
        shutil.rmtree(folder, ignore_errors=True)


def _is_ready(slurm: Slurm) -> bool:
    done = subprocess.run(
        ["sinfo", "-h", "-o", "%T"], env=slurm.environment, capture_output=True, text=True, check=False
    )
    return "idle" in done.stdout


def _wait_for(condition: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "SLURM does not start"
        time.sleep(0.1)
