"""Self-attention on maps: every place looks at every other one.

Shapes: B batch, C channels, H rows, W columns, N = H * W places, K = C / 8 channels of query and key, G groups.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_NARROWING = 8
"""Query and key have an eighth of the channels (SAGAN, zi2zi-pytorch)."""

_MANY_PLACES = 32 * 32
"""Above so many places the scores, N x N, are the largest tensor there is, and are not kept."""


class SelfAttention(nn.Module):
    """1x1 query and key to C/8, value to C, a learned weight `gamma` that starts at 0: at first the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // _NARROWING)
        self.query = nn.Conv2d(channels, narrow, 1)
        self.key = nn.Conv2d(channels, narrow, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        query_BNK, key_BNK, value_BNC = self.parts(x_BCHW)
        return self.added(x_BCHW, attend(query_BNK, key_BNK, value_BNC))

    def parts(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query (B, N, K), key (B, N, K) and value (B, N, C)."""
        query, key, value = (layer(x_BCHW).flatten(2).transpose(1, 2) for layer in (self.query, self.key, self.value))
        return query, key, value

    def added(self, x_BCHW: Tensor, seen_BNC: Tensor) -> Tensor:
        return x_BCHW + self.gamma * seen_BNC.transpose(1, 2).reshape(x_BCHW.shape)


class AttentionStack(nn.Module):
    """Layers of self-attention one after the other; with `residual`, each adds the scores of the one before.

    Residual scores: RealFormer (He et al. 2020), softmax(Q K^T / sqrt(K) + the scores before it). They must be
    held, (B, N, N) a layer, but for those of the last layer, which nothing reads.
    """

    def __init__(self, channels: int, layers: int, *, residual: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(SelfAttention(channels) for _ in range(layers))
        self.residual = residual

    def forward(self, x_BCHW: Tensor) -> Tensor:
        if not self.residual:
            for layer in self.layers:
                x_BCHW = layer(x_BCHW)
            return x_BCHW
        scores_BNN: Tensor | None = None
        *inner, last = [layer for layer in self.layers if isinstance(layer, SelfAttention)]
        for layer in inner:
            query_BNK, key_BNK, value_BNC = layer.parts(x_BCHW)
            fresh_BNN = query_BNK @ key_BNK.transpose(1, 2) / math.sqrt(query_BNK.shape[2])
            scores_BNN = fresh_BNN if scores_BNN is None else fresh_BNN + scores_BNN
            x_BCHW = layer.added(x_BCHW, torch.softmax(scores_BNN, 2) @ value_BNC)
        query_BNK, key_BNK, value_BNC = last.parts(x_BCHW)
        return last.added(x_BCHW, attend(query_BNK, key_BNK, value_BNC, scores_BNN))


def make_attention(channels: int, layers: int, *, residual: bool) -> nn.Module:
    return SelfAttention(channels) if layers == 1 else AttentionStack(channels, layers, residual=residual)


def attend(query_BNK: Tensor, key_BNK: Tensor, value_BNC: Tensor, bias_BNN: Tensor | None = None) -> Tensor:
    """softmax(query key^T / sqrt(K) + bias) value: (B, N, C).

    The kernels that never hold the N x N scores want values as narrow as queries, channels last. On large maps the
    value is therefore cut into groups of K channels that all look with the same query and key: the scores are
    computed G times and kept not once.
    """
    query_B1NK, key_B1NK, value_B1NC = (part.unsqueeze(1) for part in (query_BNK, key_BNK, value_BNC))
    narrow, channels = query_BNK.shape[2], value_BNC.shape[2]
    if bias_BNN is not None or query_BNK.shape[1] <= _MANY_PLACES or channels % narrow:
        mask_B1NN = None if bias_BNN is None else bias_BNN.unsqueeze(1).to(query_BNK.dtype)
        seen_B1NC = functional.scaled_dot_product_attention(query_B1NK, key_B1NK, value_B1NC, attn_mask=mask_B1NN)
        return seen_B1NC.squeeze(1)
    groups = channels // narrow
    value_BGNK = value_BNC.contiguous().view(*value_BNC.shape[:2], groups, narrow).transpose(1, 2)
    seen_BGNK = functional.scaled_dot_product_attention(
        query_B1NK.contiguous().expand(-1, groups, -1, -1),
        key_B1NK.contiguous().expand(-1, groups, -1, -1),
        value_BGNK,
    )
    return seen_BGNK.transpose(1, 2).flatten(2)
