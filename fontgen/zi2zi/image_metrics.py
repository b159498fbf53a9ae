"""LPIPS and FID between drawn and true glyphs, as torchmetrics computes them, with weights read from files.

Shapes: N images, H rows, W columns, 3 equal channels. Images come as uint8 ink (255 = ink) and are shown to
the networks dark on light, as the files of glyph images are.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fontgen.errors import CheckpointError
from fontgen.zi2zi.weight_files import ALEXNET, INCEPTION_V3, hub_cache, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

_INSTALL = 'pip install "fontgen[metrics]"'

_LPIPS_NETS = {
    "alex": ("features.0.weight", (64, 3, 11, 11)),
    "squeeze": ("features.3.squeeze.weight", (16, 64, 1, 1)),
    "vgg": ("features.2.weight", (64, 64, 3, 3)),
}
"""torchmetrics' names of the networks, each with a tensor that tells its weights from the others'."""

FID_FEATURES = 2048
"""The features that FID is defined on: InceptionV3's last pooling (arXiv 1706.08500)."""


class ImageMetrics:
    """What fontgen.fonts.evaluate asks of whoever measures images: `compare` in batches, then `distance`."""

    def __init__(self, lpips: Path | None, fid: Path | None, *, fid_features: int = FID_FEATURES) -> None:
        """Read the weights; a metric without any is not measured. Raises CheckpointError when they are others."""
        self.lpips: nn.Module | None = None
        self.inception: nn.Module | None = None
        self.protocol: dict[str, Any] = {}
        self.left_out: list[str] = []
        self._fids: dict[int, Any] = {}
        self._fid_features = fid_features
        if lpips is not None:
            self.lpips, net = _lpips_network(lpips)
            self.protocol["lpips"] = {"network": net, "weights": lpips.name}
        if fid is not None:
            self.inception = _inception(fid, fid_features)
            self.protocol["fid"] = {"features": fid_features, "weights": fid.name}

    def compare(
        self, contender: int, drawn_NHW: NDArray[np.uint8], true_NHW: NDArray[np.uint8]
    ) -> list[float] | list[None]:
        """LPIPS of each pair, None without its weights. Both sides count towards the contender's FID."""
        import torch

        with torch.inference_mode():
            drawn_N3HW, true_N3HW = _paper(drawn_NHW), _paper(true_NHW)
            if self.inception is not None:
                fid = self._fid(contender)
                fid.update(drawn_N3HW, real=False)
                fid.update(true_N3HW, real=True)
            if self.lpips is None:
                return [None] * len(drawn_NHW)
            # LPIPS is defined on -1..1.
            scores = self.lpips(drawn_N3HW / 127.5 - 1, true_N3HW / 127.5 - 1)
            return [float(score) for score in scores.flatten()]

    def distance(self, contender: int) -> float | None:
        """FID between all that was compared of a contender; None without its weights or with fewer than two pairs."""
        fid = self._fids.get(contender)
        if fid is None or int(fid.real_features_num_samples) < 2:
            return None
        # Rounding leaves equal sets a little below zero.
        return max(0.0, float(fid.compute()))

    def _fid(self, contender: int) -> Any:
        if contender not in self._fids:
            from torchmetrics.image.fid import FrechetInceptionDistance

            self._fids[contender] = FrechetInceptionDistance(feature=self.inception)
        return self._fids[contender]


def open_image_metrics(lpips: Path | None, fid: Path | None) -> ImageMetrics:
    """LPIPS and FID with these weights, or with those in torch's hub cache. Nothing is ever downloaded.

    A metric whose weights or package are not there is left out, and `left_out` says why in a line; for weights
    that are given by name it is an error. Raises CheckpointError.
    """
    left_out: list[str] = []
    found: dict[str, Path] = {}
    for metric, given, name, packages in (
        ("LPIPS", lpips, ALEXNET, ("torch", "torchmetrics")),
        ("FID", fid, INCEPTION_V3, ("torch", "torchmetrics", "torch_fidelity")),
    ):
        path = given or hub_cache() / name
        lacking = [package for package in packages if find_spec(package) is None]
        if not path.is_file():
            reason = f"there is no {path.name} in {path.parent}; put the file there or give --{metric.lower()}-weights"
        elif lacking:
            reason = f"it needs {' and '.join(lacking)}; {_INSTALL}"
        else:
            found[metric] = path
            continue
        if given is not None:
            raise CheckpointError(
                f"{metric}: {reason}" if path.is_file() else f"{path}: no such file of weights for {metric}"
            )
        left_out.append(f"{metric} left out: {reason}")
    metrics = ImageMetrics(found.get("LPIPS"), found.get("FID"))
    metrics.left_out = left_out
    return metrics


def _paper(ink_NHW: NDArray[np.uint8]) -> Tensor:
    """(N, 3, H, W) uint8, dark on light."""
    import torch

    paper_N1HW = torch.from_numpy(255 - ink_NHW)[:, None]
    return paper_N1HW.expand(-1, 3, -1, -1)


def _lpips_network(path: Path) -> tuple[nn.Module, str]:
    """LPIPS on the network whose weights lie at `path`; its own layers (1x1) come with torchmetrics."""
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    tensors = read_tensors(path, "torchvision's alexnet, vgg16 or squeezenet1_1 weights")
    net = next(
        (net for net, (name, shape) in _LPIPS_NETS.items() if name in tensors and tensors[name].shape == shape), None
    )
    if net is None:
        raise CheckpointError(
            f"{path}: not the weights of AlexNet, VGG16 or SqueezeNet 1.1 as torchvision names them; use its files"
        )
    # `pnet_rand` keeps torchmetrics from downloading what is filled in here.
    network = _NoTrainLpips(net=net, pnet_rand=True)
    own = network.net.state_dict()
    _fill(network.net, {name: _in_features(name) for name in own}, tensors, path, f"LPIPS ({net})")
    return network, net


def _in_features(name: str) -> str:
    """torchvision's name of a tensor that torchmetrics calls slice1.0.weight or slices.1.3.squeeze.weight."""
    return re.sub(r"^slices?\.?\d+\.", "features.", name)


def _inception(path: Path, features: int) -> nn.Module:
    import torch
    from torchmetrics.image.fid import NoTrainInceptionV3

    tensors = read_tensors(path, f"torch-fidelity's {INCEPTION_V3}")
    # torch-fidelity unpickles whatever it is given, so it gets the tensors alone.
    plain = io.BytesIO()
    torch.save(tensors, plain)
    plain.seek(0)
    try:
        network: Any = NoTrainInceptionV3("inception-v3-compat", [str(features)], plain)
    except RuntimeError as error:
        raise _foreign(path, "FID (InceptionV3 of torch-fidelity)", error) from error
    network.num_features = features
    return network  # type: ignore[no-any-return]


def _fill(network: nn.Module, names: Mapping[str, str], tensors: Mapping[str, Tensor], path: Path, what: str) -> None:
    try:
        network.load_state_dict({own: tensors[name] for own, name in names.items()})
    except (KeyError, RuntimeError) as error:
        raise _foreign(path, what, error) from error


def _foreign(path: Path, what: str, error: Exception) -> CheckpointError:
    return CheckpointError(f"{path}: not the weights that {what} needs ({' '.join(str(error).split())[:120]})")
