"""A set of micro-expressions: its parameters, its job, and what is made of the rendered dataset."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ffngen.atomic import read_bounded, write_atomic
from ffngen.dataset.plan import plan_sequences
from ffngen.dataset.read import FlowDataset
from ffngen.errors import DatasetError
from ffngen.head.load import load_head
from ffngen.job import Job, load_job
from ffngen.params.source import parameter_source
from ffngen.params.table import write_parameter_sets
from ffngen.scene.preset import load_preset
from ffngen.simulation.casme2 import write_clip, write_table
from ffngen.simulation.samples import SimulatedClip, SimulationSettings, simulate_clips

#: The last file of a set: what it is, and how far heads and faces move in it.
SIMULATION_FILE = "simulation.json"
_PARAMETERS, _RENDER = "parameters.parquet", "render"
_MAX_BYTES = 1 << 20


class MicroSet:
    """A made-up set of micro-expressions in a folder, before and after it is rendered.

    :param out: the folder.
    :param settings: what decides its parameters.
    :param fields: fields of the render job, such as its resolution.
    :raises DatasetError: the folder holds something else, or a set by other settings.
    """

    def __init__(self, out: Path, settings: SimulationSettings, fields: Mapping[str, Any]) -> None:
        self.out = out
        self._settings = settings
        self._fields = dict(fields)
        # Whatever renders it, the set is the same.
        images = {name: value for name, value in fields.items() if name not in ("device", "workers")}
        record = {"kind": "micro-expressions", **asdict(settings), "job": images}
        self._record: dict[str, Any] = json.loads(json.dumps(record))
        self.clips: list[SimulatedClip] = []
        if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / _PARAMETERS).is_file())):
            raise DatasetError("holds files already", where=out, mend="name an empty or new folder")
        if self.is_complete and any(self.record.get(name) != value for name, value in self._record.items()):
            raise DatasetError("holds a set by other settings", where=out, mend="name another folder")

    @property
    def is_complete(self) -> bool:
        """Whether all is there."""
        return (self.out / SIMULATION_FILE).is_file()

    @property
    def record(self) -> dict[str, Any]:
        """What the complete set's file says of it; raises :class:`DatasetError` for a damaged one."""
        return read_simulation(self.out) or {}

    def prepare(self) -> Job:
        """Draw the parameters, write them, and give the job that renders them.

        :raises FfngenError: the settings or the job's fields cannot be met, or the folder cannot be written.
        """
        # First what costs nothing, so that a wrong word is named at once.
        job = load_job(None, self._job_fields())
        load_preset(job.scene)
        self.clips = list(simulate_clips(self._settings, load_head("open")))
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"cannot be used: {error.strerror}"
            raise DatasetError(what, where=self.out, mend="name another folder") from error
        write_parameter_sets(self.out / _PARAMETERS, [clip.parameters for clip in self.clips])
        return job

    def _job_fields(self) -> dict[str, Any]:
        return {
            "out": self.out / _RENDER,
            "seed": self._settings.seed,
            "params": str(self.out / _PARAMETERS),
            "n_frames": (2,),
            "include_neutral": True,
            "motion_profile": "micro",
            "amplitude": self._settings.amplitude,
            "jaw_motion": "expression",
            "splits": {"train": 1, "test": 0, "val": 0},
            **self._fields,
        }

    def finish(self, job: Job, progress: Callable[[int, int], None] = lambda done, total: None) -> dict[str, Any]:
        """Write CASME II's layout of the rendered dataset, and last what the set is.

        :param job: from :meth:`prepare`, rendered completely.
        :param progress: told (clips done, clips to do).
        :returns: the record.
        """
        plans = plan_sequences(job, parameter_source(job, load_head("open")))
        data = FlowDataset(self.out / _RENDER)
        lengths = []
        for done, (plan, clip) in enumerate(zip(plans, self.clips, strict=True), start=1):
            lengths.append(write_clip(self.out, clip, data.pairs(plan.layout.key)))
            progress(done, len(plans))
        write_table(self.out, self.clips)
        head, expression = np.mean(lengths, axis=0).tolist()
        record: dict[str, Any] = self._record | {
            "clips_in_all": len(self.clips),
            "head_flow_px": head,
            "expression_flow_px": expression,
            "resolution": list(job.resolution),
        }
        write_atomic(self.out / SIMULATION_FILE, (json.dumps(record, indent=1) + "\n").encode())
        return record


def read_simulation(folder: Path) -> dict[str, Any] | None:
    """What a folder says of the made-up set in it, or None where it holds none.

    :raises DatasetError: the file is damaged.
    """
    path = folder / SIMULATION_FILE
    if not path.is_file():
        return None
    try:
        record = json.loads(read_bounded(path, _MAX_BYTES))
    except ValueError as error:
        raise DatasetError("is no JSON", where=path, mend="make the set anew") from error
    if not isinstance(record, dict) or record.get("kind") != "micro-expressions":
        raise DatasetError("is no record of a made-up set", where=path, mend="make the set anew")
    return record
