"""Instance normalisation that keeps the memory layout of its input. Shapes: B batch, C channels, H rows, W columns."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class InstanceNorm(nn.InstanceNorm2d):
    """Each map of each image to mean 0 and variance 1; no parameters.

    torch normalises instances in contiguous memory: a channels_last map is copied there and has to be
    copied back before the next convolution, which on a CPU takes longer than the normalisation. Groups
    of one channel are the same sum without the copies. In bf16 and on CUDA their gradient is slower
    than the copies are, so there, as long as a gradient is wanted, torch's way stays.
    """

    def forward(self, x_BCHW: Tensor) -> Tensor:
        in_place = x_BCHW.device.type == "cpu" and not x_BCHW.is_contiguous()
        if in_place and (x_BCHW.dtype == torch.float32 or not torch.is_grad_enabled()):
            return functional.group_norm(x_BCHW, x_BCHW.shape[1], eps=self.eps)
        return super().forward(x_BCHW)
