"""Flows: estimated once, kept by what decides them, or given."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from made_micro import make_micro_set
from PIL import Image

from ffngen.errors import FfngenError, InputFileError, JobError
from ffngen.estimators import open_estimator
from ffngen.estimators.estimator import Estimate, PairByPair
from ffngen.flow.compact import MAX_ERROR
from ffngen.flow.files import read_flow, write_flow
from ffngen.recognition import read_samples
from ffngen.recognition.crop import Crop
from ffngen.recognition.flows import FlowKeeper, GivenFlows, Pictures, weights_digest
from ffngen.recognition.run import make_sources


@dataclass
class Counting(PairByPair):
    """u is the mean of the second image less that of the first, v the first one's width; counts its calls."""

    name: str = "counting"
    details: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    heads: bool = True

    def __call__(self, image1: np.ndarray, image2: np.ndarray) -> Estimate:
        self.calls += 1
        flow = np.empty((*image1.shape[:2], 2), np.float32)
        flow[..., 0], flow[..., 1] = float(image2.mean()) - float(image1.mean()), image1.shape[1]
        return Estimate(flow, flow / 2 if self.heads else None, flow / 2 if self.heads else None)


@pytest.fixture
def samples(tmp_path: Path) -> list:
    return list(read_samples(make_micro_set(tmp_path / "set", subjects=2, clips=1, suffix=".csv")).samples)


def test_estimated_once(samples: list, tmp_path: Path) -> None:
    estimator = Counting()
    keeper = FlowKeeper(estimator, "w", Pictures(), tmp_path / "flows")
    sources = make_sources([keeper], [], ("expression", "facial"), samples)
    assert [source.name for source in sources] == ["counting (expression)", "counting (facial)"]
    assert estimator.calls == len(samples) == 6
    first = np.array(Image.open(samples[0].onset)).mean(), np.array(Image.open(samples[0].apex)).mean()
    found = sources[1](samples[0])
    np.testing.assert_allclose(found[..., 0], first[1] - first[0], atol=MAX_ERROR + 1e-6)
    np.testing.assert_allclose(sources[0](samples[0]), found / 2, atol=2 * MAX_ERROR)
    # Another run finds all; other weights, another crop or another image does not.
    make_sources([keeper], [], ("facial",), samples)
    assert estimator.calls == 6
    for other in (
        FlowKeeper(estimator, "v", Pictures(), tmp_path / "flows"),
        FlowKeeper(estimator, "w", Pictures(Crop.BOX, 0.1), tmp_path / "flows"),
    ):
        make_sources([other], [], ("facial",), samples[:1])
    assert estimator.calls == 8
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(samples[1].apex)
    make_sources([keeper], [], ("facial",), samples)
    assert estimator.calls == 9


def test_goes_on_after_a_stop_and_mends_what_is_damaged(samples: list, tmp_path: Path) -> None:
    estimator = Counting(heads=False)
    keeper = FlowKeeper(estimator, "w", Pictures(), tmp_path / "flows")
    keeper.prepare(samples[:2])
    source = make_sources([keeper], [], ("facial", "expression"), samples)[0]
    assert estimator.calls == 6
    flow = source(samples[3])
    file = next(keeper.root.rglob(f"{samples[3].subject}/{samples[3].clip}-*.facial.cflo"))
    file.write_bytes(file.read_bytes()[:-3])
    np.testing.assert_array_equal(source(samples[3]), flow)
    assert estimator.calls == 7
    with pytest.raises(JobError, match=r"counting gives no expression flow; it gives facial"):
        make_sources([keeper], [], ("expression",), samples)


def test_crop_and_sizes(samples: list, tmp_path: Path) -> None:
    pictures = Pictures(Crop.BOX, 0.125)
    keeper = FlowKeeper(Counting(), "w", pictures, tmp_path / "flows")
    assert keeper.sources(("facial",)) == []
    flow = make_sources([keeper], [], ("facial",), samples)[0](samples[0])
    assert flow.shape == (48, 48, 2)
    assert pictures.onset(samples[0]).shape == (48, 48, 3)
    Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save(samples[0].apex)
    with pytest.raises(InputFileError, match=r"csv: row 2: reg_img10.png is 64 x 64, reg_img20.png another size"):
        keeper.prepare(samples)


def test_wrong_estimates_are_refused(samples: list, tmp_path: Path) -> None:
    class Broken(Counting):
        def __call__(self, image1: np.ndarray, image2: np.ndarray) -> Estimate:
            return Estimate(np.full((64, 64, 2), np.nan, np.float32), None, None)

    with pytest.raises(FfngenError, match=r"counting, casme2/sub01/EP01_01: gave a flow of"):
        FlowKeeper(Broken(), "w", Pictures(), tmp_path / "flows").prepare(samples)


def test_given(samples: list, tmp_path: Path) -> None:
    folder = tmp_path / "set" / "flow"
    given = GivenFlows("true", folder, Pictures())
    true = read_flow(folder / "sub02" / "EP03_01.flo")
    np.testing.assert_array_equal(given(samples[-1]), true)
    np.testing.assert_array_equal(GivenFlows("t", folder, Pictures(Crop.BOX, 0.125))(samples[-1]), true[8:56, 8:56])
    (folder / "sub01" / "EP01_01.flo").unlink()
    with pytest.raises(InputFileError, match=r"sub01/EP01_01.flo: no flow of the sample of row 2"):
        given(samples[0])
    write_flow(folder / "sub01" / "EP01_01.exr", true[:32])
    with pytest.raises(InputFileError, match="64 x 32 pixels, where the onset has 64 x 64"):
        given(samples[0])
    # Below the set's name, as several sets need it.
    (folder / "casme2").mkdir()
    (folder / "sub01" / "EP01_01.exr").rename(folder / "moved.exr")
    (folder / "casme2" / "sub01").mkdir()
    write_flow(folder / "casme2" / "sub01" / "EP01_01.exr", true)
    np.testing.assert_array_equal(given(samples[0]), true)
    with pytest.raises(JobError, match="one name"):
        make_sources([], [given, given], ("facial",), samples[:1])


def test_a_flow_that_is_not_there_is_named_before_any_is_estimated(samples: list, tmp_path: Path) -> None:
    estimator = Counting()
    keeper = FlowKeeper(estimator, "w", Pictures(), tmp_path / "flows")
    with pytest.raises(InputFileError, match="no flow of the sample"):
        make_sources([keeper], [GivenFlows("true", tmp_path / "nowhere", Pictures())], ("facial",), samples)
    with pytest.raises(JobError, match="one name, counting"):
        make_sources([keeper, keeper], [], ("facial",), samples)
    assert estimator.calls == 0


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"abc")
    digest = weights_digest(str(tmp_path / "w.pth"))
    assert digest.startswith("ba7816bf")
    assert weights_digest(f"ptlflow:raft@{tmp_path / 'w.pth'}") == digest
    assert weights_digest("dis") == "dis"
    assert open_estimator("dis").name == "dis"
