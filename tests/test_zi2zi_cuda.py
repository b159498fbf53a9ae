"""What training and drawing do on CUDA, without a GPU: tensors that have a device and no data.

Every operation on them checks that its tensors lie on one device, so that whatever is left on the CPU shows. The
backward pass needs a real GPU, and is left out: gradients appear without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_pairs import SIZE_PX, bar_pairs
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from fontgen.zi2zi import finetune, infer, rehearsal
from fontgen.zi2zi.checkpoint import load_state, read_tensors, save_generator, save_state
from fontgen.zi2zi.data import PairBatches
from fontgen.zi2zi.evaluation import evaluate
from fontgen.zi2zi.header import CheckpointHeader
from fontgen.zi2zi.image_store import fits
from fontgen.zi2zi.loss_settings import BalanceSettings, LossSettings
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks
from fontgen.zi2zi.styles import StyleMix

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
NETWORK = NetworkSettings(
    ngf=4, ndf=4, max_channels=8, num_downs=3, embedding_num=2, embedding_dim=4, attention=(8,), attention_layers=2
)
SETTINGS = TrainSettings(
    batch_size=4,
    label_shuffle_from=0,
    losses=LossSettings(feature_matching=1.0, dice=1.0, edge=1.0, adversarial_kind="relativistic"),
    balance=BalanceSettings(r1=1.0, instance_noise=0.1),
)
_FREE_BYTES = 1 << 30


class _Answers(rehearsal._Answers):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.numpy and isinstance(args[0], FakeTensor):
            assert args[0].device == CPU, "a tensor on the GPU has no numpy array"
            return np.zeros(tuple(args[0].shape), np.uint8)
        return super().__torch_function__(func, types, args, kwargs)


def _backward(loss: Tensor, *, inputs: list[Tensor], retain_graph: bool) -> None:
    for weight in inputs:
        weight.grad = torch.empty_like(weight)


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Within the test tensors have no data, and the device cuda:0 is there. Bytes of each tensor that was pinned."""
    sizes: list[int] = []

    def pin(tensor: Tensor) -> Tensor:
        sizes.append(tensor.nbytes)
        return tensor

    monkeypatch.setattr(torch.autograd, "backward", _backward)
    monkeypatch.setattr(torch.autograd, "grad", lambda y, x, create_graph: (torch.zeros_like(x) * y,))
    monkeypatch.setattr("torch.cuda.amp.common.amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (_FREE_BYTES, 2 * _FREE_BYTES))
    monkeypatch.setattr(torch.utils, "swap_tensors", rehearsal._take_over)
    monkeypatch.setattr(Tensor, "pin_memory", pin)
    with FakeTensorMode(allow_non_fake_inputs=True), _Answers():
        yield sizes


def everything_is_there(networks: Networks) -> bool:
    groups = networks.groups()
    return all(tensor.device == CUDA for name in groups for tensor in groups[name].values())


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"augment_shift_em": 0.1, "augment_scale": 0.1, "augment_weight_em": 0.02},
        {"accumulate": 2, "clip_gradient": 0.1, "checkpoint_activations": True},
        {"fused": False, "channels_last": False},
    ],
    ids=lambda changes: ",".join(changes) or "default",
)
def test_a_step_and_an_evaluation_have_all_their_tensors_on_the_gpu(
    pinned: list[int], precision: str, changes: dict[str, Any]
) -> None:
    settings = SETTINGS.model_copy(update={"precision": precision, **changes})
    pairs = bar_pairs()
    networks = Networks(NETWORK, settings, SIZE_PX, CUDA)
    batches = PairBatches(pairs, settings, CUDA)
    assert batches.mode == "resident"
    rng = np.random.default_rng(0)
    for step in range(2):
        _, counted = networks.update(step, (batches.next(rng) for _ in range(settings.accumulate)), 0.1)
        assert counted
    assert len(pinned) >= 4 * settings.accumulate, "rows and styles of each batch are sent without waiting"
    assert everything_is_there(networks) or not settings.fused
    assert "ssim" in evaluate(networks.mean, batches, pairs.codepoints, 4).figures


def test_what_is_on_another_device_shows(pinned: list[int]) -> None:
    """Of the tests here: they would find it."""
    networks = Networks(NETWORK, SETTINGS, SIZE_PX, CUDA)
    batch = PairBatches(bar_pairs(), SETTINGS, CUDA).pick(np.arange(4))
    with pytest.raises(RuntimeError, match="cpu"):
        networks.update(0, [batch._replace(style_index_B=torch.zeros(4, dtype=torch.long))], 0.0)


def test_a_state_from_disk_and_a_checkpoint_to_start_from_reach_the_gpu(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, rng = bar_pairs(), np.random.default_rng(0)
    settings = SETTINGS.model_copy(update={"precision": "fp16"})
    first = Networks(NETWORK, SETTINGS, SIZE_PX, CPU)
    first.update(0, [PairBatches(pairs, SETTINGS, CPU).next(rng)], 0.0)
    state = {"identity": {"set of pairs": pairs.fingerprint}, "balance": first.balance.state()}
    save_state(tmp_path / "trainer.safetensors", first.groups(), state)
    header = CheckpointHeader(
        network=NETWORK, canvas=pairs.canvas, styles=pairs.styles[:1], step=1, pairs=pairs.fingerprint
    )
    save_generator(tmp_path / "latest.safetensors", first.mean, header)
    # Read before: a file cannot be mapped into tensors without data.
    groups, state = load_state(tmp_path / "trainer.safetensors")
    weights = read_tensors(tmp_path / "latest.safetensors")
    monkeypatch.setattr(finetune, "load_state", lambda path: (groups, state))
    monkeypatch.setattr(finetune, "read_tensors", lambda path: weights)

    request.getfixturevalue("pinned")
    networks = Networks(NETWORK, settings, SIZE_PX, CUDA)
    networks.restore(groups, state["balance"], tmp_path)
    networks.precision.restore({"scale": 512.0, "growth_factor": 2.0, "backoff_factor": 0.5,
                                "growth_interval": 2000, "_growth_tracker": 3})  # fmt: skip
    batches = PairBatches(pairs, settings, CUDA)
    networks.update(1, [batches.next(rng)], 0.0)
    assert everything_is_there(networks)
    assert networks.precision.state()["growth_interval"] == 2000
    begun = finetune.take_over(networks, tmp_path / "latest.safetensors", pairs.styles, batches)
    assert begun["discriminator"]
    networks.update(0, [batches.next(rng)], 0.0)
    assert everything_is_there(networks)


def test_drawing_leaves_its_images_on_the_gpu(pinned: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infer, "repeatable", nullcontext)
    generator = Networks(NETWORK, SETTINGS, SIZE_PX, CUDA).mean
    batch = [(0x4E00, np.zeros((SIZE_PX, SIZE_PX), np.uint8))]
    drawn, uncertainty = infer.draw_batch(generator, batch, StyleMix(((0, 0.5), (1, 0.5))), CUDA, 4, passes=3)
    assert uncertainty is not None
    assert drawn.device == uncertainty.device == CUDA
    assert uncertainty.shape == (4,)
    assert drawn.shape == (4, SIZE_PX, SIZE_PX)
    assert pinned == [4 * SIZE_PX * SIZE_PX]


def test_pairs_lie_on_the_gpu_while_they_leave_room_for_the_networks(pinned: list[int]) -> None:
    assert fits(_FREE_BYTES // 4, CUDA)
    assert not fits(_FREE_BYTES // 4 + 1, CUDA)
