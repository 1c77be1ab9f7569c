"""What several processes must share so that they train as one would: means, and batch norm's, over the whole batch.

Each process has its part of a batch, and their gradients are averaged.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributed import all_reduce, get_world_size, is_available, is_initialized
from torch.distributed.nn.functional import all_reduce as all_reduce_with_gradient


def are_several() -> bool:
    """Whether this process trains together with others."""
    return is_available() and is_initialized() and get_world_size() > 1


def mean_divisor(count: Tensor) -> Tensor:
    """What a process divides its sum by, so that the average of all processes' quotients is the mean over the batch.

    :param count: () what this process's sum is over; at least 1 in all is divided by.
    """
    if not are_several():
        return count.clamp_min(1)
    total = count.detach().to(torch.float64)
    all_reduce(total)
    return (total.clamp_min(1) / get_world_size()).float()


class WholeBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the batch of all processes; unlike PyTorch's own, on the CPU too."""

    def forward(self, input: Tensor) -> Tensor:
        """As :class:`torch.nn.BatchNorm2d`, (B, C, H, W) to the same."""
        if not self.training or not are_several():
            return super().forward(input)
        values = input.float()
        count = values.numel() // values.shape[1] * get_world_size()
        mean = all_reduce_with_gradient(values.sum((0, 2, 3))) / count
        centred = values - mean[:, None, None]
        # Around the common mean: a difference of squares would lose digits.
        variance = all_reduce_with_gradient(centred.square().sum((0, 2, 3))) / count
        self._follow(mean.detach(), variance.detach() * count / max(count - 1, 1))
        scale = torch.rsqrt(variance + self.eps) * self.weight
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as PyTorch does."""
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def share_batch_norm(network: nn.Module) -> None:
    """Let a network's batch norms be over the whole batch; names and values of its weights stay."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = WholeBatchNorm2d
