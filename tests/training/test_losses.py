import math

import pytest
import torch

from ffngen.models import FlowSequence
from ffngen.training.config import LossConfig
from ffngen.training.losses import Truth, decomposed_loss, end_point_error
from ffngen.training.schedule import one_cycle

SHAPE = (2, 2, 4, 5)


def truth(**changes: torch.Tensor) -> Truth:
    generator = torch.Generator().manual_seed(0)
    parts = {
        "facial": torch.randn(SHAPE, generator=generator),
        "head": torch.randn(SHAPE, generator=generator),
        "has_head": torch.tensor([True, True]),
        "valid": torch.ones(2, 4, 5, dtype=torch.bool),
        "mask": torch.ones(2, 4, 5, dtype=torch.bool),
    }
    return Truth(**{**parts, **changes})


def off_by(true: Truth, *offsets: tuple[float, float], grad: bool = True) -> FlowSequence:
    """Each iteration is off by du, dv in facial flow, and by twice that in head flow."""
    errors = [torch.tensor(offset)[None, :, None, None] for offset in offsets]
    return FlowSequence(
        [(true.facial + e).requires_grad_(grad) for e in errors],
        [(true.head + 2 * e).requires_grad_() for e in errors],
    )


def test_formula() -> None:
    """gamma^(n-i-1) times the mean of |du| and |dv|; expression is facial minus head, off by the difference."""
    true = truth()
    config = LossConfig(gamma=0.5, facial=1, head=0.8, expression=1.5)
    losses = decomposed_loss(off_by(true, (4, -2), (1, 3)), true, config)
    one = 0.5 * 3 + 2
    assert losses["facial"].item() == pytest.approx(one, rel=1e-5)
    assert losses["head"].item() == pytest.approx(0.8 * 2 * one, rel=1e-5)
    assert losses["expression"].item() == pytest.approx(1.5 * one, rel=1e-5)
    assert losses["loss"].item() == pytest.approx((1 + 1.6 + 1.5) * one, rel=1e-5)


def test_a_frozen_facial_branch_has_no_loss() -> None:
    true = truth()
    losses = decomposed_loss(off_by(true, (1, 1), grad=False), true, LossConfig())
    assert set(losses) == {"loss", "head", "expression"}


def test_invalid_pixels_count_in_no_way() -> None:
    valid = torch.ones(2, 4, 5, dtype=torch.bool)
    valid[0, 1, 2] = False
    true = truth(valid=valid)
    flows = off_by(true, (1, 1))
    with torch.no_grad():
        flows.facial[0][0, :, 1, 2] = 1e6
    loss = decomposed_loss(flows, true, LossConfig())["facial"]
    assert loss.item() == pytest.approx(1, rel=1e-5)
    loss.backward()
    assert not flows.facial[0].grad[0, :, 1, 2].any()
    # The published mean counts them as errors of 0.
    published = decomposed_loss(flows, true, LossConfig(mean_over="all"))["facial"]
    assert published.item() == pytest.approx(39 / 40, rel=1e-5)


def test_motion_that_is_too_long_is_left_out() -> None:
    true = truth()
    true.facial[1, 0, 0, 0] = 500
    flows = off_by(true, (1, 1))
    assert decomposed_loss(flows, true, LossConfig(mean_over="all"))["facial"].item() == pytest.approx(39 / 40)


def test_background_counts_less() -> None:
    mask = torch.zeros(2, 4, 5, dtype=torch.bool)
    mask[:, :2] = True
    true = truth(mask=mask)
    flows = off_by(true, (1, 1))
    with torch.no_grad():
        flows.facial[0][:, :, 2:] += 2
    found = decomposed_loss(flows, true, LossConfig(background=0.25))["facial"].item()
    assert found == pytest.approx((1 + 0.25 * 3) / 1.25, rel=1e-5)


def test_a_sample_without_head_flow_teaches_no_head_flow() -> None:
    true = truth(has_head=torch.tensor([True, False]))
    flows = off_by(true, (1, 1))
    losses = decomposed_loss(flows, true, LossConfig())
    losses["loss"].backward()
    assert flows.head[0].grad[0].any()
    assert not flows.head[0].grad[1].any()
    assert losses["head"].item() == pytest.approx(2, rel=1e-5)


def test_end_point_error() -> None:
    true = truth()
    where = true.valid.clone()
    where[1] = False
    assert end_point_error(true.facial + torch.tensor([3.0, 4.0])[:, None, None], true.facial, where).item() == (
        pytest.approx(5, rel=1e-5)
    )


@pytest.mark.parametrize("steps", [50, 1000])
def test_schedule_is_pytorchs(steps: int) -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 3e-4, steps + 100, pct_start=0.05, cycle_momentum=False, anneal_strategy="linear"
    )
    for step in range(steps):
        expected = optimizer.param_groups[0]["lr"]
        assert math.isclose(one_cycle(step, steps, 3e-4, 0.05), expected, rel_tol=1e-6)
        optimizer.step()
        schedule.step()
