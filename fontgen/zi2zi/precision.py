"""In which number format the networks compute. The weights and their optimizers are always fp32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_FIRST_SCALE = 2.0**10
"""Of the fp16 losses. torch begins at 2^16 and loses the first steps to overflow: L1's weight is 100 already."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """Autocast, and for fp16 the loss scale, without which small gradients vanish (arXiv 1710.03740)."""

    def __init__(self, name: str, device: torch.device) -> None:
        self.device = device
        self.dtype = _DTYPES[name]
        self.scaler = torch.amp.GradScaler(device.type, init_scale=_FIRST_SCALE) if name == "fp16" else None

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss to call backward on."""
        return loss if self.scaler is None else self.scaler.scale(loss)

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Put an optimizer's gradients back to their true size; the device does not wait."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)

    def settle(self) -> None:
        """Halve the scale when a gradient of this step has overflowed, double it after many that have not."""
        if self.scaler is not None:
            self.scaler.update()

    def state(self) -> dict[str, Any]:
        return {} if self.scaler is None else self.scaler.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        if self.scaler is not None and state:
            self.scaler.load_state_dict(state)
