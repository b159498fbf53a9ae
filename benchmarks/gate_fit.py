"""Fit the network of `fontgen.glyphs.gate_net`: `python -m benchmarks.gate_fit --pair SOURCE TARGET [--pair ...]`.

Genuine glyphs of the target beside the calibrated source's are right; wrong are the same with a component erased, a
stretch of ink wiped away, a component of another glyph put in, and the most similar other characters. Give pairs
of many kinds. Needs torch; the result is written to `fontgen/data/gate.npy`.

What is shipped was fitted on 94 pairs of fonts, with each script that both have enough of: 171 sets of up to 700
glyphs, 80,774 in all, in 30,000 steps, in an hour of one core that multiplies bf16. The sources are Noto Sans JP
and TC Bold, Noto Sans CJK Light to Black, WenQuanYi Zen Hei, Motoya L Cedar and Maru, Zen Maru Gothic Bold, BIZ
UDMincho, Hina Mincho, Shippori Mincho Regular and ExtraBold and NanumSquare Bold. The targets are, gothics: Zen
Maru Gothic Bold, Motoya L Cedar and Maru, WenQuanYi Zen Hei, VL Gothic, Kosugi Maru, M PLUS 1p Thin, Zen Kaku
Gothic New Medium, Kiwi Maru, NanumSquare, NanumSquare Round Bold, NanumBarunGothic, UnDotum; minchos: AR PL UMing,
SungtiL GB and Mingti2L Big5, Dejima Mincho, Sawarabi Mincho, BIZ UDMincho, Oradano Mincho, Shippori Mincho
ExtraBold, Zen Old Mincho Black, Hina Mincho, Kaisei Tokumin, Cactus Classical Serif, ZCOOL XiaoWei, Gowun Batang;
kaishu and brush: AR PL KaitiM GB and Big5, AR PL UKai, TW-Kai, Ma Shan Zheng, Zhi Mang Xing, Liu Jian Mao Cao, Yuji
Syuku, UnGungseo, UnPilgi, East Sea Dokdo; handwriting and display: SetoFont, Kiloji, Yomogi, Yusei Magic, Hachi
Maru Pop, Slackside One, Darumadrop One, Reggae One, RocknRoll One, Stick, Potta One, Dela Gothic One, DotGothic16,
Mochiy Pop One, ZCOOL KuaiLe, ZCOOL QingKe HuangYou, Train One, Rampart One, UnDinaru, UnGraphic and Black Han Sans.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

import fontgen
from benchmarks.repair import HAN, HANGUL, KANA, Pairs, shared_characters
from fontgen.files import write_bytes
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.clean_morphology import EIGHT, dilate_square
from fontgen.glyphs.gate_features import FINE, mean_ink
from fontgen.glyphs.gate_net import LAYERS, answers

_SIZE_PX = 128
_BATCH = 64
_RATE = 2.5e-3
_WEIGHT_DECAY = 1e-2
_FEWEST = 100
"""Characters of a script that two fonts must share."""

_SMALLEST_PART = 0.012
"""Components with less of the ink are not erased: they may be dust."""

_TOUCHED = 0.25
"""Share of ink lost or won from which a cell of the answer counts as touched."""

GENUINE, GONE, PUT, FAINT, OTHER = range(5)
"""Kinds of example. FAINT has lost so little ink that it teaches nothing; OTHER is another character."""

_SHARES = ((GONE, 0.42), (FAINT, 0.08), (PUT, 0.1), (OTHER, 0.12))
"""How often each mistake is made; FAINT is a stretch wiped away, which may become GONE. The rest is genuine."""


class Glyphs:
    """Grids (k, FINE, FINE) uint8 of sources and targets, and the components that can be taken from each target."""

    def __init__(self, pairs: list[tuple[Path, Path]], count: int, seed: int) -> None:
        sources, targets, parts, owner, font = [], [], [], [], []
        for number, (source, target, block) in enumerate(_sets(pairs)):
            found = Pairs(source, target, count, _SIZE_PX, seed + number, block)
            for source8, target8 in zip(found.sources, found.targets, strict=True):
                labels, components = ndimage.label(target8 >= 128, EIGHT)
                area = np.bincount(labels.ravel(), minlength=components + 1)[1:]
                large = np.flatnonzero(area > _SMALLEST_PART * area.sum()) + 1
                for part in large if len(large) > 1 else ():
                    chosen = dilate_square(labels == part) & ((labels == 0) | (labels == part))
                    parts.append(_grid(np.where(chosen, target8, 0)))
                    owner.append(len(sources))
                sources.append(_grid(source8))
                targets.append(_grid(target8))
                font.append(number)
            print(f"{source.stem} -> {target.stem}: {len(found)} glyphs from {chr(block[0])} on", flush=True)
        self.sources, self.targets, self.parts = np.array(sources), np.array(targets), np.array(parts)
        self.fonts = [np.flatnonzero(np.array(font) == number) for number in range(font[-1] + 1)]
        self.shares = np.array([len(members) for members in self.fonts]) / len(sources)
        self.parts_of = [np.flatnonzero(np.array(owner) == i) for i in range(len(sources))]
        self.alike = np.zeros((len(sources), 4), np.intp)
        for members in self.fonts:
            flat = self.targets[members].reshape(-1, 16, 4, 16, 4).mean((2, 4)).reshape(len(members), -1)
            flat -= flat.mean(axis=0)
            flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
            likeness = flat @ flat.T
            np.fill_diagonal(likeness, -2)
            self.alike[members] = members[np.argsort(-likeness, axis=1)[:, :4]]

    def example(self, rng: np.random.Generator) -> tuple[int, NDArray[np.float32], int]:
        """(index, (FINE, FINE) image 0..255, kind): one glyph as it is, or with a mistake."""
        members = self.fonts[rng.choice(len(self.fonts), p=self.shares)]
        index = int(rng.choice(members))
        truth = self.targets[index].astype(np.float32)
        kinds, shares = zip(*_SHARES, strict=True)
        kind = int(rng.choice([GENUINE, *kinds], p=[1 - sum(shares), *shares]))
        if kind == GONE and len(self.parts_of[index]):
            return index, truth - self.parts[rng.choice(self.parts_of[index])], GONE
        if kind == FAINT and (truth > 128).any():
            wiped = truth * (1 - _stretch(np.argwhere(truth > 128), rng))
            return index, wiped, GONE if (truth - wiped).sum() > 0.03 * truth.sum() else FAINT
        if kind == PUT and len(taken := self.parts_of[rng.choice(members)]):
            moved = np.roll(self.parts[rng.choice(taken)], rng.integers(-6, 7, 2), (0, 1))
            return index, np.minimum(truth + moved, 255), PUT
        if kind == OTHER:
            return index, self.targets[rng.choice(self.alike[index])].astype(np.float32), OTHER
        return index, truth, GENUINE

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 2, FINE, FINE) source and image, (B, 2, FINE / 2, FINE / 2) where ink is gone and put in, (B,) kinds."""
        index, images, kinds = zip(*(self.example(rng) for _ in range(_BATCH)), strict=True)
        source, truth = (torch.from_numpy(grids[list(index)]).float() / 255 for grids in (self.sources, self.targets))
        image = torch.from_numpy(np.stack(images)).float() / 255
        image, truth = _warped(torch.stack([image, truth], 1)).unbind(1)
        change = functional.avg_pool2d((image - truth)[:, None], 2)[:, 0]
        touched = torch.stack([change < -_TOUCHED, change > _TOUCHED], 1).float()
        return torch.stack([source, _softened(image, rng)], 1), touched, torch.tensor(kinds)


def _softened(images: Tensor, rng: np.random.Generator) -> Tensor:
    """(B, FINE, FINE) blurred, some of them, and lighter or darker at the edges: as a generator draws."""
    count = len(images)
    mix = torch.from_numpy((rng.random(count) < 0.35) * rng.uniform(0.3, 1, count)).float()[:, None, None]
    images = images + mix * (functional.avg_pool2d(images[:, None], 3, 1, 1)[:, 0] - images)
    gamma = torch.from_numpy(np.exp(rng.normal(0, 0.2, count))).float()[:, None, None]
    return images.clamp_min(0).pow(gamma)


def _sets(pairs: list[tuple[Path, Path]]) -> Iterator[tuple[Path, Path, tuple[int, int]]]:
    """Each pair with each script that both fonts have enough of."""
    for source, target in pairs:
        faces = open_face(FontRef.of(source)), open_face(FontRef.of(target))
        for block in (HAN, KANA, HANGUL):
            if len(shared_characters(*faces, block)) >= _FEWEST:
                yield source, target, block


def _grid(ink8: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.rint(mean_ink(ink8) * 255).astype(np.uint8)


def _stretch(inked: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.float32]:
    """(FINE, FINE) 0..1: a slanted box about an inked cell, as where a stroke that touches others is lost."""
    row, col = inked[rng.integers(len(inked))]
    angle, half_length, half_width = rng.uniform(0, np.pi), rng.uniform(5, 12), rng.uniform(2, 4)
    y, x = np.mgrid[:FINE, :FINE].astype(np.float32)
    along = (x - col) * np.cos(angle) + (y - row) * np.sin(angle)
    across = (y - row) * np.cos(angle) - (x - col) * np.sin(angle)
    box: NDArray[np.float32] = np.clip(3 - 2 * np.maximum(abs(along) / half_length, abs(across) / half_width), 0, 1)
    return box


def _warped(grids: Tensor) -> Tensor:
    """(B, 2, FINE, FINE) moved, turned and scaled a little, half of them bent: more styles than there are fonts."""
    count = len(grids)
    affine = torch.eye(2, 3) + 0.02 * torch.randn(count, 2, 3)
    bent = functional.interpolate(0.012 * torch.randn(count, 2, 5, 5), (FINE, FINE), mode="bicubic", align_corners=True)
    where = functional.affine_grid(affine, [count, 1, FINE, FINE], align_corners=False)
    where = where + bent.permute(0, 2, 3, 1) * (torch.rand(count, 1, 1, 1) < 0.5)
    return functional.grid_sample(grids, where, align_corners=False)


class Network(nn.Module):
    """The network of `gate_net` with weights that can be taught: (B, 2, n, n) -> its answers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(
            {name: nn.Conv2d(inputs, outputs, side, stride, side // 2)
             for name, (side, stride, inputs, outputs) in LAYERS.items()}
        )  # fmt: skip
        cells = self.layers["cells"].bias
        assert isinstance(cells, Tensor)
        cells.data.fill_(-4)  # little is wrong in most places

    def forward(self, looks_B2HW: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 2, n / 2, n / 2) and (B,) log odds."""
        cells, whole = answers(self, looks_B2HW)
        return cells.float(), whole.float().flatten()

    def layer(self, name: str, x: Tensor) -> Tensor:
        made: Tensor = self.layers[name](x)
        return made

    def rectified(self, x: Tensor) -> Tensor:
        return functional.relu(x)

    def doubled(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2)

    def pooled(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)], 1)


def loss(odds: Tensor, whole: Tensor, touched: Tensor, kinds: Tensor) -> Tensor:
    """What is wrong in each cell, and whether anything is in the glyph: the second is what the gate asks."""
    known = ((kinds != OTHER) & (kinds != FAINT)).float()[:, None]
    cells = functional.binary_cross_entropy_with_logits(odds, touched, reduction="none").mean((2, 3))
    glyph = odds.flatten(2).logsumexp(2) - 2
    wrong = torch.stack([kinds == GONE, kinds == PUT], 1).float()
    glyphs = functional.binary_cross_entropy_with_logits(glyph, wrong, reduction="none")
    others = functional.softplus(-glyph.logsumexp(1)) * (kinds == OTHER)
    told = ((kinds == OTHER) | (kinds == GENUINE)).float()
    another = functional.binary_cross_entropy_with_logits(whole, (kinds == OTHER).float(), reduction="none")
    # the cells of a glyph count as 25 glyphs: 1024 cells of which nearly all are easy
    local = 25 * (cells * known).sum() / (2 * known.sum()) + (glyphs * known).mean() + others.mean() / 2
    return local + (another * told).sum() / told.sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pair", type=Path, nargs=2, action="append", required=True, metavar=("SOURCE", "TARGET"))
    parser.add_argument("--count", type=int, default=700, help="glyphs a pair")
    parser.add_argument("--steps", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    glyphs = Glyphs([(source, target) for source, target in options.pair], options.count, options.seed)
    network = Network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=options.steps, pct_start=0.05)
    mean = 0.0
    for step in range(1, options.steps + 1):
        looks, touched, kinds = glyphs.batch(rng)
        with torch.autocast("cpu", torch.bfloat16):  # half the time where the processor multiplies such numbers
            odds, whole = network(looks.contiguous(memory_format=torch.channels_last))
        value = loss(odds, whole, touched, kinds)
        torch.autograd.backward(value)
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        mean = float(value.detach()) if step == 1 else 0.98 * mean + 0.02 * float(value.detach())
        if step % 100 == 0:
            print(f"step {step}: loss {mean:.4f}", flush=True)
    save(network, Path(fontgen.__file__).parent / "data" / "gate.npy")


def save(network: Network, path: Path) -> None:
    """Half floats in the order in which `gate_net` reads them."""
    parts = []
    for name in LAYERS:
        layer = network.layers[name]
        assert isinstance(layer.weight, Tensor)
        assert isinstance(layer.bias, Tensor)
        parts += [layer.weight.detach().flatten(), layer.bias.detach()]
    file = io.BytesIO()
    np.save(file, torch.cat(parts).numpy().astype("<f2"))
    write_bytes(path, file.getvalue())


if __name__ == "__main__":
    main()
