"""Kill a training at random steps, run it again each time, and compare its weights with an undisturbed run's.

python tests/robustness/kill_training.py [--kills 5] [--seed 0]
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from made_dataset import make_dataset

#: Of each of DecFlow's two stages.
STEPS = 10
#: States are further apart than steps, so that a killed run loses some.
SAVE_EVERY = 2


def command(dataset: Path, out: Path) -> list[str]:
    """Both stages, in few steps."""
    program = [sys.executable, "-c", "from ffngen.cli import main; main()"]
    options = {
        "steps": STEPS,
        "batch-size": 2,
        "crop": 64,
        "iterations": 2,
        "save-every": SAVE_EVERY,
        "threads": 1,
        "workers": 1,
    }
    return [
        *(*program, "train", str(dataset), "decflow", "--accelerator", "cpu", "--json", "--out", str(out)),
        *(part for name, value in options.items() for part in (f"--{name}", str(value))),
    ]


def saved_step(out: Path) -> int:
    """The step that a run would go on from."""
    try:
        with safe_open(out / "state.safetensors", framework="pt") as file:
            step: int = json.loads(file.metadata()["ffngen"])["step"]
            return step
    except (OSError, SafetensorError):
        return 0


@click.command()
@click.option("--kills", default=5, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(kills: int, seed: int) -> None:
    """Compare a run that is killed with one that is not."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="ffngen-kill-") as folder:
        root = Path(folder)
        dataset = make_dataset(root / "dataset", {"train": 4, "val": 1})
        subprocess.run(command(dataset, root / "whole"), check=True, stdout=subprocess.DEVNULL)
        for step in sorted(rng.sample(range(1, 2 * STEPS - SAVE_EVERY), kills)):
            process = subprocess.Popen(command(dataset, root / "killed"), stdout=subprocess.DEVNULL)
            while process.poll() is None and saved_step(root / "killed") < step:
                time.sleep(0.01)
            # Anywhere within the steps that follow.
            time.sleep(rng.uniform(0, 0.5))
            process.kill()
            process.wait()
            print(f"killed after step {step}, saved at {saved_step(root / 'killed')}", flush=True)
        subprocess.run(command(dataset, root / "killed"), check=True, stdout=subprocess.DEVNULL)
        whole, killed = (load_file(root / name / "last.safetensors") for name in ("whole", "killed"))
        same = all(torch.equal(whole[name], killed[name]) for name in whole)
    print(f"{kills} kills: the weights are {'the same' if same else 'DIFFERENT'}")
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
