import numpy as np
import pytest

from ffngen.metrics.flow_errors import endpoint_error, flow_errors, wauc

H, W = 6, 8


def test_known_errors() -> None:
    true = np.zeros((H, W, 2), np.float32)
    true[..., 0] = 100
    flow = true.copy()
    flow[0, 0] += (3, 4)  # 5 px, 5%
    flow[0, 1] += (0, 5.5)  # 5.5 px, above 5%
    flow[0, 2] += (2, 0)
    flow[0, 3] += (-1, 0)
    where = np.zeros((H, W), bool)
    where[0] = True
    found = flow_errors(flow, true, where)
    assert found.pixels == 8
    assert found.epe == pytest.approx((5 + 5.5 + 2 + 1) / 8)
    assert (found.px1, found.px3, found.px5) == (3 / 8, 2 / 8, 1 / 8)
    assert found.fl_all == 1 / 8
    assert found.magnitude == pytest.approx(100)
    assert endpoint_error(flow, true)[0, 0] == 5


def test_what_is_outside_counts_in_no_way() -> None:
    true = np.zeros((H, W, 2), np.float32)
    flow = np.full((H, W, 2), np.nan, np.float32)
    flow[2:4] = 0
    where = np.zeros((H, W), bool)
    where[2:4] = True
    assert flow_errors(flow, true, where).epe == 0
    assert flow_errors(flow, true, ~where).epe == np.inf
    assert flow_errors(flow, true, np.zeros((H, W), bool)) is None


def test_wauc_bounds_and_formula() -> None:
    assert wauc(np.zeros(5)) == 1
    assert wauc(np.full(5, 5.01)) == 0
    error = np.random.default_rng(0).uniform(0, 6, 200)
    weights = 1 - np.arange(100) / 100
    expected = sum(w * (error <= (i + 1) / 20).mean() for i, w in enumerate(weights)) / weights.sum()
    assert wauc(error) == pytest.approx(expected)
