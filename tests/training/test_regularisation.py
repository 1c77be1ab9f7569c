"""Each loss against loops over pixels, against flows whose loss is known, and against what it must not see."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffngen.errors import JobError
from ffngen.models import FlowSequence
from ffngen.training.config import LossConfig, RegularisationConfig, TrainConfig, load_config
from ffngen.training.losses import Truth, decomposed_loss
from ffngen.training.regularisation import (
    flow_difference_loss,
    gradient_loss,
    mask_loss,
    regularisation_losses,
    sobel_loss,
    total_variation_loss,
)

SIZE = (2, 9, 11)
OFF = dict.fromkeys(RegularisationConfig.model_fields, 0.0)

#: Every loss as a function of a flow, the truth and the head; the flow before is a pixel off.
LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "mask": mask_loss,
    "gradient": gradient_loss,
    "sobel": sobel_loss,
    "total_variation": lambda flow, true, head: total_variation_loss(flow, head),
    "flow_difference": lambda flow, true, head: flow_difference_loss(flow, true + 0.3, true, head),
}


def some(seed: int) -> Tensor:
    return torch.randn(SIZE[0], 2, *SIZE[1:], generator=torch.Generator().manual_seed(seed))


def a_head() -> Tensor:
    """A block with a hole and a bite, and most of a picture with scattered holes."""
    head = torch.zeros(SIZE, dtype=torch.bool)
    head[0, 1:8, 2:10] = True
    head[0, 4, 6] = head[0, 1, 2] = False
    head[1] = torch.rand(SIZE[1:], generator=torch.Generator().manual_seed(5)) > 0.1
    return head


def everywhere() -> Tensor:
    return torch.ones(SIZE, dtype=torch.bool)


def plane(a: float, b: float) -> Tensor:
    """u = a x + b y, v = -u."""
    y, x = torch.meshgrid(torch.arange(float(SIZE[1])), torch.arange(float(SIZE[2])), indexing="ij")
    u = a * x + b * y
    return torch.stack([u, -u]).expand(SIZE[0], -1, -1, -1).clone()


def step(height: float) -> Tensor:
    """u jumps up between columns 4 and 5; v is 0."""
    flow = torch.zeros(SIZE[0], 2, *SIZE[1:])
    flow[:, 0, :, 5:] = height
    return flow


# The references: loops over pixels, each in the plainest words.


def _windows(head: NDArray[np.bool_], offsets: list[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """The pixels for which these neighbours, too, lie on the head."""
    for b, y, x in np.argwhere(head):
        inside = [(y + dy, x + dx) for dy, dx in offsets]
        if all(0 <= j < head.shape[1] and 0 <= i < head.shape[2] and head[b, j, i] for j, i in inside):
            yield b, y, x


def slow_mask(flow: NDArray, true: NDArray, head: NDArray) -> float:
    return float(np.mean([np.mean(np.abs(flow - true)[b, :, y, x]) for b, y, x in np.argwhere(head)]))


def slow_gradient(flow: NDArray, true: NDArray, head: NDArray) -> float:
    total = 0.0
    for dy, dx in ((0, 1), (1, 0)):
        costs = []
        for b, y, x in _windows(head, [(dy, dx)]):
            found = flow[b, :, y + dy, x + dx] - flow[b, :, y, x]
            wanted = true[b, :, y + dy, x + dx] - true[b, :, y, x]
            costs.append(np.mean(np.abs(found - wanted)))
        total += np.mean(costs)
    return float(total)


def slow_sobel(flow: NDArray, true: NDArray, head: NDArray) -> float:
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    costs = []
    for b, y, x in _windows(head, [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]):
        window = (flow - true)[b, :, y - 1 : y + 2, x - 1 : x + 2]
        costs.append(np.mean([abs((kernel * w).sum()) + abs((kernel.T * w).sum()) for w in window]))
    return float(np.mean(costs))


def slow_total_variation(flow: NDArray, true: NDArray, head: NDArray) -> float:
    costs = []
    for b, y, x in _windows(head, [(0, 1), (1, 0)]):
        right, below = flow[b, :, y, x + 1] - flow[b, :, y, x], flow[b, :, y + 1, x] - flow[b, :, y, x]
        costs.append(np.mean(np.sqrt(right**2 + below**2 + 1e-6) - 1e-3))
    return float(np.mean(costs))


def slow_flow_difference(flow: NDArray, true: NDArray, head: NDArray) -> float:
    costs = []
    for b, y, x in np.argwhere(head):
        now, before = (np.mean(np.abs(f - true)[b, :, y, x]) for f in (flow, true + 0.3))
        costs.append(max(0.0, now - before))
    return float(np.mean(costs))


SLOW = {
    "mask": slow_mask,
    "gradient": slow_gradient,
    "sobel": slow_sobel,
    "total_variation": slow_total_variation,
    "flow_difference": slow_flow_difference,
}


@pytest.mark.parametrize("name", LOSSES)
def test_equals_loops_over_pixels(name: str) -> None:
    flow, true, head = some(0), some(1), a_head()
    slow = SLOW[name](flow.double().numpy(), true.double().numpy(), head.numpy())
    assert slow > 0.05
    assert LOSSES[name](flow, true, head).item() == pytest.approx(slow, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "flow", "expected"),
    [
        ("mask", plane(0, 0) + torch.tensor([3.0, -1.0])[:, None, None], 2),
        ("gradient", plane(0, 0) + 7, 0),
        ("sobel", plane(0, 0) + 7, 0),
        ("total_variation", plane(0, 0) + 7, 0),
        ("flow_difference", plane(0, 0) + 2, 1.7),
        ("gradient", plane(0.5, -0.25), 0.75),
        ("sobel", plane(0.5, -0.25), 0.75),
        ("total_variation", plane(0.3, -0.4), 0.5),
        # Of ten pairs in a row one jumps, and u alone; Sobel's sees half the jump in two of nine windows.
        ("gradient", step(4), 4 / 10 / 2),
        ("sobel", step(4), 2 * 2 / 9 / 2),
        ("total_variation", step(4), 4 / 10 / 2),
    ],
)
def test_known_flows(name: str, flow: Tensor, expected: float) -> None:
    """Against no motion: constants have no slope, planes everywhere the same, and a step one in a row."""
    found = LOSSES[name](flow, torch.zeros_like(flow), everywhere()).item()
    assert found == pytest.approx(expected, rel=2e-3, abs=1e-6)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"total_variation"}))
def test_a_perfect_flow_costs_nothing_though_it_jumps(name: str) -> None:
    true = step(20) + some(2)
    assert LOSSES[name](true, true, a_head()).item() == 0


@pytest.mark.parametrize("name", LOSSES)
def test_what_lies_beside_the_head_counts_in_no_way(name: str) -> None:
    """Nor does the jump at its edge: neither in the loss nor in its gradient, however wrong the flow is there."""
    head, true = a_head(), some(1)
    flow = some(0)
    expected = LOSSES[name](flow, true, head)
    beside = (~head)[:, None].expand_as(flow)
    wild = torch.where(beside, 1e6, flow).requires_grad_()
    loss = LOSSES[name](wild, true, head)
    assert loss.item() == expected.item()
    (gradient,) = torch.autograd.grad(loss, wild)
    assert not gradient[beside].any()
    assert gradient[~beside].any()


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_right(name: str) -> None:
    head, true = a_head(), some(1).double()
    flow = some(0).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda f: LOSSES[name](f, true, head), flow, eps=1e-7, atol=1e-5, fast_mode=True)


@pytest.mark.parametrize("name", LOSSES)
def test_no_head_is_no_loss(name: str) -> None:
    flow = some(0).requires_grad_()
    loss = LOSSES[name](flow, some(1), torch.zeros(SIZE, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert flow.grad is not None and not flow.grad.any()


def test_total_variation_has_a_gradient_where_flow_is_even() -> None:
    flow = torch.zeros(SIZE[0], 2, *SIZE[1:], requires_grad=True)
    total_variation_loss(flow, everywhere()).backward()
    assert flow.grad is not None and torch.isfinite(flow.grad).all()


def test_an_iteration_is_not_taught_to_be_worse() -> None:
    """No gradient reaches the flow before; and what became better costs nothing, whatever it is."""
    true, before = some(0), (some(0) + 1).requires_grad_()
    flow = (true + 2).requires_grad_()
    loss = flow_difference_loss(flow, before, true, everywhere())
    loss.backward()
    assert loss.item() == pytest.approx(1, rel=1e-5)
    assert before.grad is None and flow.grad is not None and flow.grad.all()
    assert flow_difference_loss(true + 0.9, before, true, everywhere()).item() == 0


def test_iterations_and_weights() -> None:
    """sum_i gamma^(n-i-1) w loss_i; a loss without weight is not there; one iteration has no difference."""
    flows, true, head = [some(3), some(4), some(5)], some(1), a_head()
    weights = {"mask": 2.0, "gradient": 0.5, "sobel": 3.0, "total_variation": 0.25, "flow_difference": 4.0}
    found = regularisation_losses(flows, true, head, 0.5, RegularisationConfig(**weights))
    assert set(found) == set(weights)
    for name in ("mask", "gradient", "sobel", "total_variation"):
        one = [LOSSES[name](flow, true, head).item() for flow in flows]
        expected = weights[name] * (0.25 * one[0] + 0.5 * one[1] + one[2])
        assert found[name].item() == pytest.approx(expected, rel=1e-5)
    worse = [flow_difference_loss(flows[i], flows[i - 1], true, head).item() for i in (1, 2)]
    assert found["flow_difference"].item() == pytest.approx(4 * (0.5 * worse[0] + worse[1]), rel=1e-5)
    only = RegularisationConfig(**{**OFF, "flow_difference": 1})
    assert regularisation_losses(flows[:1], true, head, 0.5, only)["flow_difference"].item() == 0
    assert regularisation_losses(flows, true, head, 0.5, RegularisationConfig(**OFF)) == {}


def truth(head: Tensor) -> Truth:
    valid = everywhere()
    valid[0, 3, 3] = False
    return Truth(some(1), torch.zeros_like(some(1)), torch.zeros(SIZE[0], dtype=torch.bool), valid, head)


def test_the_whole_loss_is_the_sum() -> None:
    """Of facial flow's loss, which does not change, and of regularisation where motion is known and not too long."""
    known = truth(a_head())
    known.facial[1, :, 2, 2] = 500
    flows = FlowSequence([some(6).requires_grad_(), some(7).requires_grad_()], None)
    plain = decomposed_loss(flows, known, LossConfig())
    both = decomposed_loss(flows, known, LossConfig(regularisation=RegularisationConfig(**{**OFF, "mask": 3})))
    assert set(both) == {"loss", "facial", "mask"}
    assert both["facial"].item() == plain["facial"].item()
    assert both["loss"].item() == pytest.approx((both["facial"] + both["mask"]).item())
    counted = known.mask.numpy() & known.valid.numpy()
    counted[1, 2, 2] = False
    by_hand = [slow_mask(flow.detach().numpy(), known.facial.numpy(), counted) for flow in flows.facial]
    assert both["mask"].item() == pytest.approx(3 * (0.85 * by_hand[0] + by_hand[1]), rel=1e-5)


def test_a_frozen_facial_branch_is_not_regularised() -> None:
    flows = FlowSequence([some(6)], [some(7).requires_grad_()])
    known = truth(a_head())
    losses = decomposed_loss(flows, known, LossConfig(regularisation=RegularisationConfig()))
    assert set(losses) == {"loss", "head", "expression"}


def test_half_precision_flow_is_compared_in_single() -> None:
    flows, true = [some(0).bfloat16()], some(1)
    found = regularisation_losses(flows, true, a_head(), 0.85, RegularisationConfig(**{**OFF, "sobel": 1}))
    assert found["sobel"].dtype == torch.float32
    slow = slow_sobel(flows[0].double().numpy(), true.double().numpy(), a_head().numpy())
    with torch.autocast("cpu", torch.bfloat16):
        inside = sobel_loss(flows[0].float(), true, a_head())
    assert found["sobel"].item() == pytest.approx(slow, rel=1e-5)
    assert inside.item() == pytest.approx(slow, rel=1e-5)


def test_the_preset_has_the_default_weights_and_each_may_be_left_out() -> None:
    config = load_config(None, {"model": "srflownet"})
    assert config.stages[0].loss.regularisation == RegularisationConfig()
    stage = {"stage": 1, "loss": {"regularisation": {"sobel": 0}}}
    changed = load_config("srflownet", {"stages": [stage]}).stages[0].loss.regularisation
    assert changed == RegularisationConfig(sobel=0)
    assert load_config("skflow").stages[0].loss.regularisation is None


def test_srflownet_without_its_losses_is_a_fault() -> None:
    with pytest.raises(JobError, match="base: srflownet"):
        load_config("small-gma", {"model": "srflownet"})
    for weight in (-1, math.inf):
        with pytest.raises(ValueError, match="mask"):
            TrainConfig.model_validate({"stages": [{"loss": {"regularisation": {"mask": weight}}}]})
