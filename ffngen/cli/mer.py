"""``ffngen mer``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from ffngen.cli.estimator_options import estimator_options
from ffngen.cli.progress import make_progress
from ffngen.cli.values import parse_named


@click.command("mer")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--dataset",
    type=click.Choice(["casme2", "samm", "smic", "mmew", "megc2019"]),
    default="casme2",
    show_default=True,
    help="The layout of PATH: a set's folder, or the table of the MEGC 2019 composite.",
)
@click.option("--annotations", type=click.Path(path_type=Path), help="The table.  [default: the one in PATH]")
@click.option(
    "--frames", type=click.Path(path_type=Path), help="The folder of subjects.  [default: PATH/Cropped, PATH]"
)
@click.option(
    "--part",
    "parts",
    multiple=True,
    metavar="SET=FOLDER",
    callback=parse_named,
    help="For megc2019: where casme2, samm and smic are; repeated.",
)
@click.option(
    "--apex",
    type=click.Choice(["middle", "difference", "drop"]),
    default="middle",
    show_default=True,
    help="Where no apex is noted: the middle frame, the one that differs most from the onset, or leave it out.",
)
@click.option("--skip-absent", is_flag=True, help="Leave out, and list, clips whose frames are absent.")
@click.option(
    "--labels",
    metavar="MAP",
    help="casme2-3, casme2-5, composite, or a YAML file.  [default: casme2-5; composite for other sets]",
)
@estimator_options()
@click.option(
    "--flows",
    multiple=True,
    metavar="NAME=FOLDER",
    callback=parse_named,
    help="Flows from files SUBJECT/CLIP.flo or .exr; may be repeated.",
)
@click.option(
    "--flow",
    "kinds",
    multiple=True,
    type=click.Choice(["facial", "expression", "head"]),
    help="Which of a model's flows; may be repeated.  [default: facial and expression]",
)
@click.option(
    "--crop",
    type=click.Choice(["none", "box", "detect"]),
    default="none",
    show_default=True,
    help="Keep the picture, cut a margin off its sides, or keep the face that is found.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 0.45),
    default=0.1,
    show_default=True,
    help="For --crop: the share of the sides that box cuts off each side, and that detect adds.",
)
@click.option(
    "--classifier",
    type=click.Choice(["ststnet", "mmnet"]),
    default="ststnet",
    show_default=True,
    help="The light three-stream network, or the two-branch one.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Of each training.  [default: 100; mmnet 20]")
@click.option("--lr", "learning_rate", type=click.FloatRange(min=0, min_open=True), help="Learning rate.")
@click.option(
    "--width",
    type=click.FloatRange(0.02, 1),
    help="Channels of mmnet, in shares of the published ones.  [default: 0.125]",
)
@click.option("--no-augment", is_flag=True, help="Do not mirror and shift training samples.")
@click.option(
    "--protocol",
    type=click.Choice(["last", "published"]),
    default="last",
    show_default=True,
    help="Whose predictions count: the last epoch's, or the epoch's that is best on the test subject (optimistic).",
)
@click.option("--seeds", type=click.IntRange(1, 100), default=5, show_default=True, help="So many runs, averaged.")
@click.option("--workers", type=click.IntRange(min=1), help="Trainings at once, on the CPU.  [default: its cores]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="recognition",
    show_default=True,
    help="Folder of the report; a run that was stopped goes on from what it holds.",
)
@click.option("--check", is_flag=True, help="Read the set, list its samples' numbers and bad rows, and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(**options: Any) -> None:
    """Recognise micro-expressions by the flow from onset to apex.

    PATH is your own copy of CASME II, SAMM, SMIC-HS or MMEW, or a set that ffngen simulated in CASME II's layout. A
    classifier is trained once for each subject, on all others, and asked about the one that it has not seen.

    \b
    ffngen mer CASME2 --check
    ffngen mer CASME2 --labels casme2-3 --checkpoint decflow.safetensors --model dis
    ffngen mer synthetic --flows "true expression=synthetic/flow/expression" --model dis
    ffngen mer combined.csv --dataset megc2019 --part casme2=CASME2 --part samm=SAMM --part smic=HS --model dis

    Rows that are not as they should be are listed. Without an onset: left out. Without an apex, or with one that is
    not after the onset: as --apex says, between onset and offset, or the clip's last frame where the offset is no
    use. Absent frames, unknown classes and clips that occur twice are refused.

    A label map of your own is YAML: "classes: {negative: [disgust, sadness], positive: [happiness]}" and "leave_out:
    [others]".

    --out receives report.json, tables.md, tables.tex, predictions.csv and confusion/*.png, and keeps flows and folds.
    """
    from ffngen.evaluation.report import prepare_folder
    from ffngen.recognition import ReadOptions, apply_labels, open_label_map, read_samples
    from ffngen.recognition.describe import describe_samples
    from ffngen.recognition.frames import ApexRule
    from ffngen.simulation.micro_set import read_simulation

    dataset, out, as_json = options["dataset"], options["out"], options["as_json"]
    names = (*options["models"], *options["checkpoints"])
    if not (names or options["flows"] or options["check"]):
        raise click.UsageError("nothing to measure; name a --checkpoint, a --model or --flows, or use --check")
    if len(set(names)) != len(names):
        raise click.UsageError("a --checkpoint or --model is named twice")
    labels = open_label_map(options["labels"] or ("casme2-5" if dataset == "casme2" else "composite"))
    reading = ReadOptions(options["annotations"], options["frames"], ApexRule(options["apex"]), options["skip_absent"])
    found = read_samples(options["path"], dataset, reading, options["parts"])
    samples, numbers, left_out = apply_labels(found.samples, labels)
    samples_record = describe_samples(found, labels, numbers, [sample.person for sample in samples], left_out)
    samples_record["simulation"] = read_simulation(options["path"])
    if options["check"]:
        click.echo(json.dumps(samples_record, indent=1) if as_json else _described(samples_record))
        return
    if not as_json:
        click.echo(_described(samples_record) + "\n")
    prepare_folder(out)
    record = _measure(samples, numbers, samples_record, options)
    if as_json:
        click.echo(json.dumps(record, indent=1))
        return
    from ffngen.recognition.tables import short_tables
    from ffngen.tables import join

    click.echo(join([table.text() for table in short_tables(record)]), nl=False)
    click.echo(f"\nlook at  {out / 'confusion'}\n  tables {out / 'tables.md'}, {out / 'tables.tex'}")


def _measure(samples: Any, numbers: Any, samples_record: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Run what the options ask for, write the report, and return its record."""
    from ffngen.estimators.open import choose_device, open_estimator
    from ffngen.extras import require
    from ffngen.recognition.crop import Crop

    require("mer", "torch", "matplotlib")
    from ffngen.recognition.classifier import classifier_settings
    from ffngen.recognition.fit import Protocol
    from ffngen.recognition.flows import FlowKeeper, GivenFlows, Pictures, weights_digest
    from ffngen.recognition.report import make_record, write_report
    from ffngen.recognition.run import RunSettings, make_sources, run_recognition

    out, protocol = options["out"], Protocol(options["protocol"])
    pictures = Pictures(Crop(options["crop"]), options["margin"])
    device = choose_device(options["device"])
    keepers = [
        FlowKeeper(
            open_estimator(name, iterations=options["iterations"], device=device),
            weights_digest(name),
            pictures,
            out / "flows",
        )
        for name in (*options["models"], *options["checkpoints"])
    ]
    given = [GivenFlows(name, folder, pictures, {"folder": str(folder)}) for name, folder in options["flows"].items()]
    workers = options["workers"] or min(os.cpu_count() or 1, 16)
    settings = classifier_settings(
        options["classifier"],
        epochs=options["epochs"],
        learning_rate=options["learning_rate"],
        width=options["width"],
        augment=not options["no_augment"],
    )
    run = RunSettings(
        settings, len(samples_record["classes"]), options["seeds"], protocol, device, out / "folds", workers
    )
    with make_progress(quiet=options["as_json"]) as bar:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total, note="")
            bar.update(tasks[what], completed=done)

        sources = make_sources(keepers, given, options["kinds"] or ("facial", "expression"), samples, progress)
        judged, features = run_recognition(samples, numbers, sources, pictures, run, progress)
    record = make_record(
        samples_record, judged, settings, protocol=protocol, seeds=options["seeds"], crop=pictures.record
    )
    write_report(out, record, judged, features)
    return record


def _described(record: dict[str, Any]) -> str:
    """What is measured on, for a terminal."""
    classes = ", ".join(f"{name} {count}" for name, count in record["classes"].items())
    lines = [
        f"{record['dataset']}: {record['samples']} samples of {record['subjects']} subjects in {record['rows']} rows; "
        f"{record['labels']}: {classes}"
    ]
    if record["left_out_by_label"]:
        emotions = ", ".join(f"{name} {count}" for name, count in record["left_out_by_label"].items())
        lines.append(f"left out by the label map: {emotions}")
    if record["remarks"]:
        lines.append(f"{len(record['remarks'])} remarks on rows:")
        lines += [f"  {remark['text']}" for remark in record["remarks"]]
    return "\n".join(lines)
