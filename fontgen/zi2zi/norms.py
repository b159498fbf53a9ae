"""Instance normalisation that keeps the memory layout of its input. Shapes: B batch, C channels, H rows, W columns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class InstanceNorm(nn.InstanceNorm2d):
    """Each map of each image to mean 0 and variance 1; no parameters.

    torch normalises instances in contiguous memory: a channels_last map is copied there and has to be
    copied back before the next convolution, which on a CPU takes longer than the normalisation. Groups
    of one channel are the same sum without the copies; their gradient, slow in torch, is taken here. In
    bf16 and on CUDA the gradient costs more than the copies do, so there, as long as one is wanted,
    torch's way stays.
    """

    def forward(self, x_BCHW: Tensor) -> Tensor:
        in_place = x_BCHW.device.type == "cpu" and not x_BCHW.is_contiguous()
        if in_place and x_BCHW.dtype == torch.float32 and torch.is_grad_enabled():
            normalised: Tensor = _InPlaceGradient.apply(x_BCHW, self.eps)
            return normalised
        if in_place and not torch.is_grad_enabled():
            return _by_groups(x_BCHW, self.eps)
        return super().forward(x_BCHW)


def _by_groups(x_BCHW: Tensor, eps: float) -> Tensor:
    return functional.group_norm(x_BCHW, x_BCHW.shape[1], eps=eps)


class _InPlaceGradient(torch.autograd.Function):
    """Groups of one channel, with a gradient that goes over the maps as they lie in memory."""

    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor, eps: float) -> Tensor:
        batch, channels, *places = x_BCHW.shape
        y_BCHW, mean_BC, scale_BC = torch.ops.aten.native_group_norm(
            x_BCHW, None, None, batch, channels, places[0] * places[1], channels, eps
        )
        ctx.save_for_backward(x_BCHW, mean_BC, scale_BC)
        ctx.eps = eps
        return y_BCHW  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """With y = (x - mean) s and g the gradient in y: s (g - mean g - y mean(g y)), means over the places."""
        (g_BCHW,) = gradients
        x_BCHW, mean_BC, scale_BC = ctx.saved_tensors
        if torch.is_grad_enabled():
            # A gradient of the gradient is wanted (R1): mean and scale depend on x, which torch follows.
            (found,) = torch.autograd.grad(_by_groups(x_BCHW, ctx.eps), x_BCHW, g_BCHW, create_graph=True)
            return found, None
        scale_BC11 = scale_BC[:, :, None, None]
        y_BCHW = (x_BCHW - mean_BC[:, :, None, None]).mul_(scale_BC11)
        product_BCHW = y_BCHW * g_BCHW
        y_BCHW.mul_(product_BCHW.mean((2, 3), keepdim=True))
        torch.sub(g_BCHW, y_BCHW, out=product_BCHW).sub_(g_BCHW.mean((2, 3), keepdim=True))
        return product_BCHW.mul_(scale_BC11), None
