"""The gate's judge: calibrated on genuine pairs of one font against made-up mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fontgen.errors import ImageError
from fontgen.glyphs import gate_features as features
from fontgen.glyphs.clean_morphology import EIGHT, dilate_square, topology
from fontgen.glyphs.gate_features import Floats, Ink8, Sketch
from fontgen.glyphs.gate_net import NET_NAMES, evidence, net_measures
from fontgen.parallel import parallel_map

NAMES = (*features.NAMES, *NET_NAMES)
"""All measures of a glyph, in order."""

MIN_PAIRS = 20
"""Fewer genuine pairs say nothing about a font's spread."""

_CLIP = 8.0
"""Standardised measures are clipped here: beyond it all are equally impossible."""

_RIDGE = 2e-3
_PARTS = 6
"""Parts of the pairs, each judged by what the others taught: with few, the threshold is that of a lesser judge."""

_STEADY = 0.05
"""Least spread of the logarithm of uncertainty: drawings that hardly differ from one another are no outliers."""

_ERASED_A_GLYPH = 2
_SMALLEST_PART = 0.015
"""A component with less of the ink than this is not erased as a made-up mistake: it may be dust."""

_CLOGGED = 3
"""Components and holes gained or lost from which strokes have run together."""

_DISTRUSTED_SHARE = 0.1
"""When a batch judges itself, this share that fits worst is kept out of the lesson."""

_MISTAKES = (("wrong", 0.1), ("alike", 0.35), ("erased", 0.3), ("added", 0.1), ("clogged", 0.15))
"""Made-up mistakes and how much each weighs in training: random characters are the easy ones."""


@dataclass(frozen=True)
class Doubt:
    """From which uncertainty on a drawing is suspect; of natural logarithms, whose spread is alike on both sides."""

    centre: float
    """Median over the drawings of one generator."""
    spread: float
    """Robust standard deviation."""
    limit: float

    def odds(self, uncertainty: float) -> float:
        """Robust standard deviations below the limit."""
        return (self.limit - float(np.log(max(uncertainty, 1e-9)))) / self.spread

    def times(self, uncertainty: float) -> float:
        """As a multiple of the median."""
        return uncertainty / float(np.exp(self.centre))


@dataclass(frozen=True)
class GateModel:
    """All that scoring needs; JSON-serialisable."""

    kernel: Floats
    noise: Floats
    centre: Floats
    spread: Floats
    """Of the measures over genuine pairs."""
    weights: Floats
    threshold: float
    """Log odds below which a glyph is suspect."""
    pass_rate: float
    num_pairs: int
    basis: str
    """`genuine pairs`, `the batch itself` or `fixed rule`."""
    figures: Mapping[str, float]
    """Share of each made-up mistake that was caught, on pairs not trained on."""
    doubt: Doubt | None = None
    """None where too few drawings say how sure the generator was."""

    def to_json(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in ("kernel", "noise", "centre", "spread", "weights")}
        return {
            **arrays,
            "threshold": self.threshold, "pass_rate": self.pass_rate, "num_pairs": self.num_pairs,
            "basis": self.basis, "figures": dict(self.figures),
            "doubt": asdict(self.doubt) if self.doubt else None,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GateModel:
        arrays = {name: np.array(data[name]) for name in ("kernel", "noise", "centre", "spread", "weights")}
        doubt = Doubt(**data["doubt"]) if data["doubt"] else None
        return cls(**{**data, **arrays, "doubt": doubt})

    def doubting(self, uncertainty: Sequence[float], outlier_spread: float) -> GateModel:
        """With a limit so many robust standard deviations above the median of a generator's drawings."""
        if len(uncertainty) < MIN_PAIRS:
            return self
        logs = np.log(np.maximum(uncertainty, 1e-9))
        centre = float(np.median(logs))
        spread = max(1.4826 * float(np.median(np.abs(logs - centre))), _STEADY)
        return replace(self, doubt=Doubt(centre, spread, centre + outlier_spread * spread))

    def measures(self, source: Sketch, image: Sketch) -> tuple[Floats, NDArray[np.float32]]:
        """(len(NAMES),) measures, and the (2, COARSE, COARSE) log odds that ink is gone or put in."""
        return measure(source, image, self.kernel, self.noise)

    def log_odds(self, measures: Floats) -> Floats:
        """(k, len(NAMES)) -> (k,): how much more like a genuine glyph than like a mistake."""
        odds: Floats = _terms((measures - self.centre) / self.spread) @ self.weights
        return odds


def measure(source: Sketch, image: Sketch, kernel: Floats, noise: Floats) -> tuple[Floats, NDArray[np.float32]]:
    """What `GateModel.measures` returns, for a style's kernel and noise."""
    found = evidence(source.fine, image.fine)
    return np.concatenate([features.compare(source, image, kernel, noise), net_measures(found)]), found.where


class _MeasureJob:
    """Picklable: the (k, len(NAMES)) measures of k images beside one source."""

    def __init__(self, kernel: Floats, noise: Floats) -> None:
        self.kernel, self.noise = kernel, noise

    def __call__(self, looks: tuple[Ink8, list[Ink8]]) -> Floats:
        source = features.sketch(looks[0])
        return np.array([measure(source, features.sketch(x), self.kernel, self.noise)[0] for x in looks[1]])


def _terms(z: Floats) -> Floats:
    z = np.clip(z, -_CLIP, _CLIP)
    return np.column_stack([z, np.abs(z), np.minimum(z * z, 25) / 5, np.ones(len(z))])


def fit_gate(
    source: Sequence[Ink8] | Ink8, target: Sequence[Ink8] | Ink8, *,
    pass_rate: float, seed: int = 0, outlier_spread: float | None = None, workers: int | None = None,
) -> GateModel:  # fmt: skip
    """Fit on genuine pairs, (k, n, n) uint8 each, so that `pass_rate` of pairs not trained on pass.

    With `outlier_spread` the pairs are not known to be genuine (the batch judges itself): the
    threshold then lies so many robust standard deviations below the median. ImageError below
    MIN_PAIRS pairs.
    """
    if len(source) < MIN_PAIRS or len(source) != len(target):
        raise ImageError(f"{len(source)} pairs of {len(target)}: the gate needs {MIN_PAIRS} genuine pairs or more")
    rng = np.random.default_rng(seed)
    sources, targets = [features.sketch(x) for x in source], [features.sketch(x) for x in target]
    kernel, noise = features.fit_style(sources, targets)
    kinds: list[list[str]] = []

    def looks() -> Iterator[tuple[Ink8, list[Ink8]]]:
        for i, made in enumerate(make_mistakes(targets, target, rng)):
            kinds.append([name for name, _ in made])
            yield source[i], [target[i], *(image8 for _, image8 in made)]

    measures = list(parallel_map(_MeasureJob(kernel, noise), looks(), workers=workers))
    genuine, mistaken = np.array([of[0] for of in measures]), np.concatenate([of[1:] for of in measures])
    owner = np.repeat(np.arange(len(source)), [len(names) for names in kinds])
    kind = np.array([name for names in kinds for name in names])
    # what a judge says of pairs that it was taught on is worth nothing: each part is judged by what the others taught
    fold = rng.permutation(len(source)) % _PARTS
    centre = np.median(genuine, axis=0)
    spread = np.maximum(genuine.std(axis=0), 1e-3)

    def standard(values: Floats) -> Floats:
        return _terms((values - centre) / spread)

    held_out = np.empty(len(source))
    caught: dict[str, list[Floats]] = {name: [] for name, _ in _MISTAKES}
    for number in range(_PARTS):
        weights = _fit_weights(
            standard(genuine[fold != number]),
            {name: standard(mistaken[(kind == name) & (fold[owner] != number)]) for name in caught},
        )
        held_out[fold == number] = standard(genuine[fold == number]) @ weights
        for name in caught:
            caught[name].append(standard(mistaken[(kind == name) & (fold[owner] == number)]) @ weights)
    drawn = {name: standard(mistaken[kind == name]) for name in caught}
    if outlier_spread is None:
        weights = _fit_weights(standard(genuine), drawn)
        threshold = float(np.quantile(held_out, 1 - pass_rate))
    else:
        # the broken ones must not teach the gate that they are genuine
        trusted = held_out >= np.quantile(held_out, _DISTRUSTED_SHARE)
        weights = _fit_weights(standard(genuine[trusted]), drawn)
        odds = standard(genuine) @ weights
        middle = np.median(odds)
        threshold = float(middle - outlier_spread * 1.4826 * np.median(np.abs(odds - middle)))
    figures = {
        name: round(float((np.concatenate(caught_odds) < threshold).mean()), 4)
        for name, caught_odds in caught.items()
        if sum(map(len, caught_odds))
    }
    return GateModel(
        kernel, noise, centre, spread, weights, threshold, pass_rate, len(source),
        "genuine pairs" if outlier_spread is None else "the batch itself", figures,
    )  # fmt: skip


def fixed_model() -> GateModel:
    """A judge for a handful of glyphs, from nothing but agreement in ink and distance of strokes.

    Its threshold passes 98 to 100 % of the genuine glyphs of six typefaces (sans, round, serif,
    handwriting) against one bold sans source, but 78 % of a kaishu's and 56 % of a brush script's;
    it catches 75 to 95 % of wrong characters, and no single strokes.
    """
    size = features.KERNEL**2
    kernel = np.zeros(size + 1)
    kernel[size // 2] = 1.0
    count = len(NAMES)
    weights = np.zeros(3 * count + 1)
    weights[NAMES.index("cosine")] = -10.0
    weights[NAMES.index("missing_mean")] = -1.0
    weights[NAMES.index("extra_mean")] = -1.0
    return GateModel(
        kernel, np.array([0.02, 0.2, 0.05]), np.zeros(count), np.ones(count), weights,
        -6.6, 0.97, 0, "fixed rule", {},
    )  # fmt: skip


def _fit_weights(genuine: Floats, mistakes: Mapping[str, Floats]) -> Floats:
    """Logistic regression, mistakes together weighing as much as the genuine glyphs."""
    groups = [(genuine, 1.0, 1.0)] + [(mistakes[name], -1.0, share) for name, share in _MISTAKES if len(mistakes[name])]
    x = np.concatenate([values for values, _, _ in groups])
    sign = np.concatenate([np.full(len(values), s) for values, s, _ in groups])
    share = np.concatenate([np.full(len(values), w / len(values)) for values, _, w in groups])

    def loss(weights: Floats) -> tuple[float, Floats]:
        margin = sign * (x @ weights)
        pull = 2 * _RIDGE * weights
        pull[-1] = 0
        value = float((share * np.logaddexp(0, -margin)).sum() + _RIDGE * (weights[:-1] ** 2).sum())
        return value, x.T @ (-share * sign / (1 + np.exp(np.clip(margin, -50, 50)))) + pull

    from scipy import optimize  # only the fit needs it, and workers that score would take a quarter of a second over it

    fitted: Floats = optimize.minimize(
        loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500}
    ).x
    return fitted


def make_mistakes(
    targets: Sequence[Sketch], target: Sequence[Ink8] | Ink8, rng: np.random.Generator
) -> Iterator[list[tuple[str, Ink8]]]:
    """For each genuine (n, n) image and its sketch (kind, image) of mistakes, as `_MISTAKES` names them."""
    count = len(targets)
    coarse = np.stack([t.coarse.ravel() for t in targets])
    coarse = coarse - coarse.mean(axis=0)
    coarse /= np.maximum(np.linalg.norm(coarse, axis=1, keepdims=True), 1e-9)
    likeness = coarse @ coarse.T
    np.fill_diagonal(likeness, -2)
    for i in range(count):
        made = [
            ("wrong", target[(i + int(rng.integers(1, count))) % count]),
            ("alike", target[int(likeness[i].argmax())]),
        ]
        for part in _random_parts(target[i], _ERASED_A_GLYPH, rng):
            made.append(("erased", np.where(part, 0, target[i]).astype(np.uint8)))
        other = int(rng.integers(count))
        if other != i:
            for part in _random_parts(target[other], 1, rng):
                made.append(("added", np.maximum(target[i], np.where(part, target[other], 0)).astype(np.uint8)))
        if (clogged := _clogged(target[i], rng)) is not None:
            made.append(("clogged", clogged))
        yield made


def _clogged(ink8: Ink8, rng: np.random.Generator) -> Ink8 | None:
    """Strokes run together about some place of the ink, as where a generator knows no better; None where few would."""
    n = len(ink8)
    inked = np.argwhere(ink8 >= 128)
    row, col = inked[rng.integers(len(inked))]
    half, sigma = round(rng.uniform(0.15, 0.5) * n), rng.uniform(0.02, 0.035) * n
    place = np.s_[max(0, row - half) : row + half, max(0, col - half) : col + half]
    mixed = ndimage.gaussian_filter(ink8[place].astype(np.float32), sigma) / 255
    image8 = ink8.copy()
    image8[place] = np.rint(255 * np.clip((mixed - 0.35) / 0.2, 0, 1))
    before, after = topology(ink8 >= 128), topology(image8 >= 128)
    changed = sum(abs(a - b) for a, b in zip(before, after, strict=True))
    return image8 if changed >= _CLOGGED and (image8 >= 128).any() else None


def _random_parts(ink8: Ink8, most: int, rng: np.random.Generator) -> list[NDArray[np.bool_]]:
    """Some of several components of some size, with their grey fringe; none when the glyph is in one piece."""
    labels, count = ndimage.label(ink8 >= 128, EIGHT)
    area = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    large = np.flatnonzero(area > _SMALLEST_PART * area.sum()) + 1
    if len(large) < 2:
        return []
    parts = []
    for number in rng.permutation(large)[:most]:
        chosen = labels == number
        parts.append(dilate_square(dilate_square(chosen)) & ((labels == 0) | chosen))
    return parts
