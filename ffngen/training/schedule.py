"""The learning rate: one cycle, linear up and linear down (Smith and Topin 2017), as RAFT and its heirs use it."""

from __future__ import annotations

#: The rate starts this many times lower than the highest, and ends this many times lower than it started.
_START, _END = 25, 1e4

#: The cycle is longer than the run by so many steps, as published, so that the last steps still learn.
_SPARE_STEPS = 100


def one_cycle(step: int, steps: int, highest: float, warm_up: float) -> float:
    """The learning rate of a step, counted from 0, of a stage of so many steps.

    :param highest: the rate at the top.
    :param warm_up: the share of the cycle in which it rises.
    """
    length = steps + _SPARE_STEPS
    top = warm_up * length - 1
    lowest, end = highest / _START, highest / _START / _END
    if step <= top:
        return lowest + (highest - lowest) * step / top
    return highest + (end - highest) * (step - top) / (length - 1 - top)
