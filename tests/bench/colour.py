"""Colour: CPU-seconds per image, all in, and the corrected face error, at the job's defaults.

The corrected error of an image X is sqrt(mean((X - A)(X - B))) over the head's pixels, in sRGB of
[0, 1], against two raw references A and B of different seeds: their own noise is independent, and so
drops out of the product. CPU-seconds are those of the render process (user and system, all threads)
plus those of this process for decoding and encoding; they grow when other work shares the cores.

    python tests/bench/colour.py [--json] [--identities 4] [--quick] [--samples N]
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from _measure import Stopwatch, render_part, render_process, report, scratch_folder, write_part
from numpy.typing import NDArray

from ffngen.dataset.compose import ComposedSequence, compose
from ffngen.dataset.context import JobContext, open_context
from ffngen.dataset.plan import SequencePlan, plan_sequences
from ffngen.flow.exr import write_depth_exr
from ffngen.flow.files import write_flow
from ffngen.images import encode_jpeg
from ffngen.job import Job
from ffngen.render.pool import available_cores
from ffngen.render.process import RenderedFrame, RenderProcess
from ffngen.render.raw import read_colour, read_truth
from ffngen.render.request import RawPass, Settings

CPU_BOUND = 5.0
ERROR_BOUND = 0.0107
#: Any two numbers that no sequence draws.
REFERENCE_SEEDS = (101, 202)


@dataclass(frozen=True)
class Result:
    """One identity; times are CPU-seconds."""

    sequence: str
    error: float
    reference_noise: float
    head_pixels: int
    colour: float
    truth: float
    decode_encode: float
    per_sequence: float
    all_in: float


def _image(folder: Path, frame: RenderedFrame, composed: ComposedSequence) -> NDArray[np.uint8]:
    return read_colour(frame.kind.path(folder, frame.frame), frame.crop, composed.background)


def _references(
    process: RenderProcess, composed: ComposedSequence, scratch: Path, frame: int, samples: int
) -> list[NDArray[np.float64]]:
    images = []
    for seed in REFERENCE_SEEDS:
        folder = scratch / f"reference_{seed}"
        write_part(composed, folder, first=frame, count=1, settings=Settings(samples, False, (seed,)))
        frames = [f for f, _ in render_part(process, folder, available_cores()) if f.kind is RawPass.FACIAL_COLOUR]
        images.append(_image(folder, frames[0], composed) / 255)
    return images


def _measure(
    process: RenderProcess, context: JobContext, plan: SequencePlan, scratch: Path, reference_samples: int
) -> tuple[Result, NDArray[np.float64]]:
    """One identity: its result, and (X - A)(X - B) of every head pixel and channel."""
    with Stopwatch() as composing:
        composed = compose(context, plan)
    middle = len(composed.request.facial) // 2
    folder = scratch / "default"
    # The sequence's first colour image also loads textures and lights; the second facial one is measured.
    write_part(composed, folder, first=middle - 1, count=2)
    cpu: dict[tuple[RawPass, int], float] = {}
    parent: dict[RawPass, float] = {}
    for frame, seconds in render_part(process, folder, available_cores()):
        cpu[frame.kind, frame.frame] = seconds
        with Stopwatch() as decode:
            if frame.kind is RawPass.TRUTH:
                request = composed.request
                known = read_truth(
                    frame.kind.path(folder, frame.frame), frame.crop, plane=request.background,
                    camera=request.camera, later=request.camera,
                )  # fmt: skip
                write_flow(scratch / "facial.flo", known.facial_flow)
                write_flow(scratch / "head.flo", known.head_flow)
                write_depth_exr(scratch / "depth.exr", known.depth)
                mask = known.mask
            else:
                image = _image(folder, frame, composed)
                encode_jpeg(image, context.job.jpeg_quality)
                if frame.kind is RawPass.FACIAL_COLOUR:
                    X = image / 255
        parent[frame.kind] = decode.cpu
    A, B = _references(process, composed, scratch, middle, reference_samples)
    products = ((X - A) * (X - B))[mask]
    share = len(plan.layout.facial_frames) / plan.images  # truth renders per colour image
    colour = (cpu[RawPass.FACIAL_COLOUR, 1] + cpu[RawPass.HEAD_COLOUR, 1]) / 2
    cost = {
        "colour": colour,
        "truth": share * cpu[RawPass.TRUTH, 1],
        "decode_encode": parent[RawPass.FACIAL_COLOUR] + share * parent[RawPass.TRUTH],
        "per_sequence": (
            composing.cpu + cpu[RawPass.FACIAL_COLOUR, 0] - colour + cpu[RawPass.TRUTH, 0] - cpu[RawPass.TRUTH, 1]
        )
        / plan.images,
    }
    result = Result(
        sequence=plan.name,
        error=_corrected(products),
        reference_noise=float(np.sqrt(np.mean((A - B)[mask] ** 2) / 2)),
        head_pixels=int(mask.sum()),
        all_in=sum(cost.values()),
        **cost,
    )
    return result, products


def _warm_up(process: RenderProcess, context: JobContext, folder: Path) -> None:
    """Let the process load its kernels and the denoiser, once for all sequences of a run."""
    composed = compose(context, plan_sequences(context.job, context.source)[0])
    write_part(composed, folder, first=0, count=2, settings=Settings(1, True, (1, 2, 3)))
    render_part(process, folder, available_cores())


def _corrected(products: NDArray[np.float64]) -> float:
    return float(np.sqrt(max(products.mean(), 0.0)))


@click.command()
@click.option("--identities", default=4, show_default=True)
@click.option("--samples", type=int, help="Cycles samples of the colour image, instead of the default.")
@click.option("--reference-samples", default=512, show_default=True)
@click.option("--quick", is_flag=True, help="128 reference samples: the pooled error is then less certain.")
@click.option("--json", "as_json", is_flag=True)
def main(identities: int, samples: int | None, reference_samples: int, quick: bool, as_json: bool) -> None:
    """Measure the colour renders of some identities at the job's defaults."""
    job = Job(identities=identities, **({} if samples is None else {"samples": samples}))
    context = open_context(job)
    reference_samples = 128 if quick else reference_samples
    results, products = [], []
    with scratch_folder() as scratch, render_process(scratch / "blender.log") as process:
        _warm_up(process, context, scratch / "warm")
        for i, plan in enumerate(plan_sequences(job, context.source)):
            part = scratch / f"{i}"
            part.mkdir()
            result, product = _measure(process, context, plan, part, reference_samples)
            results.append(result)
            products.append(product)
            if not as_json:
                print(_line(result), flush=True)
    pooled = _corrected(np.concatenate(products))
    cpu = float(np.mean([result.all_in for result in results]))
    summary = {
        "bench": "colour",
        "resolution": list(job.resolution),
        "samples": job.samples,
        "reference_samples": reference_samples,
        "threads": available_cores(),
        "identities": [asdict(result) for result in results],
        "pooled_error": pooled,
        "error_bound": ERROR_BOUND,
        "cpu_seconds_per_image": cpu,
        "cpu_bound": CPU_BOUND,
        "within_bounds": pooled <= ERROR_BOUND and cpu <= CPU_BOUND,
    }
    lines = [
        f"pooled corrected error {pooled:.4f} (bound {ERROR_BOUND})",
        f"CPU-seconds per colour image, all in: {cpu:.2f} (bound {CPU_BOUND})",
        "all in = colour render + its share of the truth + decoding and encoding + its share of composing and loading",
    ]
    report(summary, as_json, lines)


def _line(result: Result) -> str:
    return (
        f"{result.sequence}: error {result.error:.4f} (one reference's noise {result.reference_noise:.4f}), "
        f"{result.all_in:.2f} CPU-s = colour {result.colour:.2f} + truth {result.truth:.2f} "
        f"+ decode, encode {result.decode_encode:.2f} + per sequence {result.per_sequence:.2f}"
    )


if __name__ == "__main__":
    main()
