"""The tables of a record."""

from __future__ import annotations

from typing import Any

from ffngen.diversity.gather import ALL
from ffngen.diversity.measure import FLOWS, WHOLE
from ffngen.tables import Table

#: Table 1 of the FacialFlowNet paper: identity features of ArcFace, 512 numbers; its similarity is that of a rendered
#: image to the photo that its texture is from.
PAPER = {"std": 0.029, "size": 512, "cv": 84.62, "similarity": 0.783}


def tables(record: dict[str, Any]) -> list[Table]:
    """The tables of :func:`ffngen.diversity.summary.summarise`'s sections that were measured."""
    made = []
    if record["identity"] is not None:
        made.append(_identity(record["identity"]))
    if record["detector"] is not None:
        made.append(_detector(record["detector"]))
    made.append(_expressions(record["expressions"]))
    if record["skin_tone"] is not None:
        made.append(_skin_tone(record["skin_tone"]))
    if record["pose"] is not None:
        made.append(_spread("head pose as the camera sees it, degrees", record["pose"], "{:.1f}"))
    if record["light"] is not None:
        made += _light(record["light"])
    lengths = record["flow"]["lengths"]
    made += [_flow_by_scale(lengths), *(_flow_by_area(flow, lengths[flow]) for flow in FLOWS if flow in lengths)]
    return made


def _identity(found: dict[str, Any]) -> Table:
    rows = [
        ("ID Std.", f"{found['std']:.4f}", f"{PAPER['std']}"),
        (
            f"ID Std. x sqrt(numbers in a vector: {found['size']})",
            f"{found['std_times_sqrt_size']:.3f}",
            f"{PAPER['std'] * PAPER['size'] ** 0.5:.3f}",
        ),
        ("ID Cv., mean over the numbers", f"{found['cv']:.2f}", f"{PAPER['cv']}"),
        ("ID Cv., median over the numbers", f"{found['cv_median']:.2f}", ""),
        ("similarity of different people", f"{found['between']:.3f}", ""),
        ("the same, 95th percentile", f"{found['between_p95']:.3f}", ""),
    ]
    if found["same"] is not None:
        rows += [
            (f"similarity of one person's renders ({found['same_pairs']} pairs)", f"{found['same']:.3f}", ""),
            ("margin of the same over different people", f"{found['margin']:.3f}", ""),
            ("the same person is the more similar one", f"{found['told_apart']:.1%}", ""),
        ]
    rows.append(("similarity of a render to the photo of its texture", "", f"{PAPER['similarity']}"))
    if "between_seen_as_one" in found:
        rows.append(("different people closer than 0.6, dlib's bound", f"{found['between_seen_as_one']:.1%}", ""))
    title = f"identity features of {found['people']} people, one image each"
    return Table(title, ("", "here", "paper's Table 1 (ArcFace)"), tuple(rows))


def _detector(found: dict[str, Any]) -> Table:
    rows = [
        ("face found by the HOG detector", f"{found['share_hog']:.1%}"),
        ("by it, or where it misses by the CNN", f"{found['share']:.1%}"),
    ]
    if "landmark_error" in found:
        for name, text in (("all_68", "68 landmarks"), ("inner_51", "51 without the jaw's outline")):
            error = found["landmark_error"][name]
            rows.append((f"{text}, off by: median", f"{error['median']:.1%}"))
            rows.append((f"{text}, off by: 95th percentile", f"{error['p95']:.1%}"))
    title = "dlib's face detectors and landmarks, against ours, in distances of the outer eye corners"
    return Table(title, ("images", str(found["frames"])), tuple(rows))


def _expressions(found: dict[str, Any]) -> Table:
    rows = tuple((name, *(str(row[key]) for key in ("people", "sequences", "pairs"))) for name, row in found.items())
    total = ("all", "", *(str(sum(row[key] for row in found.values())) for key in ("sequences", "pairs")))
    return Table("expressions, the whole split", ("", "people", "sequences", "pairs"), (*rows, total))


def _skin_tone(found: dict[str, Any]) -> Table:
    titles = {"rendered": "images, as rendered", "albedo": "people, by texture"}
    kinds = list(found)
    rows = [
        (tone, *(f"{found[kind]['classes'][tone] / found[kind]['count']:.1%}" for kind in kinds))
        for tone in found[kinds[0]]["classes"]
    ]
    rows.append(("number", *(str(found[kind]["count"]) for kind in kinds)))
    for key, text in (("median", "ITA, median"), ("p05", "ITA, 5th percentile"), ("p95", "ITA, 95th percentile")):
        rows.append((text, *(f"{found[kind]['angle'][key]:.0f} deg" for kind in kinds)))
    header = ("", *(titles[kind] for kind in kinds))
    return Table("skin tone by the individual typology angle (ITA)", header, tuple(rows))


def _light(found: dict[str, Any]) -> list[Table]:
    surroundings = found["surroundings"]
    seen = {key: value for key, value in found.items() if key != "surroundings"}
    made = [
        _spread(
            "light as the skin shows it: how much brighter skin is that faces there; brightness, 1 is white",
            seen,
            "{:.2f}",
        )
    ]
    if surroundings:
        rows = tuple((name, str(count)) for name, count in surroundings.items())
        made.append(Table("surroundings, as the scenes record them", ("", "sequences"), rows))
    return made


def _spread(title: str, found: dict[str, Any], form: str) -> Table:
    keys = ("mean", "std", "p05", "median", "p95")
    rows = tuple((name, *(form.format(values[key]) for key in keys)) for name, values in found.items())
    return Table(title, ("", "mean", "std", "5%", "median", "95%"), rows)


def _flow_by_scale(lengths: dict[str, Any]) -> Table:
    keys = ("mean", "median", "p90", "p99", "longest")
    rows = tuple(
        (f"{flow}, {scale}", *(f"{areas[WHOLE][key]:.3f}" for key in keys))
        for flow, scales in lengths.items()
        for scale, areas in scales.items()
        if WHOLE in areas
    )
    return Table("flow on the head by motion scale, pixels", ("", "mean", "median", "90%", "99%", "longest"), rows)


def _flow_by_area(flow: str, scales: dict[str, Any]) -> Table:
    names = list(scales)
    areas = list(scales.get(ALL, {}))
    rows = tuple(
        (area, *(f"{scales[name][area]['mean']:.3f}" if area in scales[name] else "" for name in names))
        for area in areas
    )
    return Table(f"{flow} flow by region and motion scale, mean in pixels", ("", *names), rows)
