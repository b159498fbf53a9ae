"""Score generated glyphs against their source glyphs, and name the suspects with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fontgen.errors import GlyphError, ImageError, codepoint_name
from fontgen.glyphs import gate_features as features
from fontgen.glyphs.gate_features import Floats, Ink8
from fontgen.glyphs.gate_model import MIN_PAIRS, NAMES, GateModel, fit_gate, fixed_model
from fontgen.glyphs.gate_settings import GateSettings
from fontgen.glyphs.polarity import read_dark_on_light, require_dark_on_light
from fontgen.glyphs.register import spread_sample
from fontgen.glyphs.store import UNCERTAINTY, ImageFolder
from fontgen.parallel import parallel_map
from fontgen.report import Report

_STRIKING = 3.0
"""Standard deviations from which a measure is named as a reason."""

_MANY_CELLS = 0.12
"""Share of the canvas that disagrees when it is another character rather than a stroke."""


@dataclass(frozen=True)
class GateScore:
    """0..1; below 0.5 the glyph is suspect. `reason` is empty for a glyph that passes."""

    score: float
    suspect: bool
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"score": round(self.score, 4), "suspect": self.suspect}
        return {**data, "reason": self.reason} if self.reason else data


@dataclass
class GateReport(Report):
    """Scores by codepoint. Failed are the images that could not be read, skipped those without a reference."""

    scores: dict[int, GateScore] = field(default_factory=dict)

    @property
    def suspects(self) -> dict[int, str]:
        """Codepoint -> reason, worst first."""
        worst = sorted(self.scores.items(), key=lambda item: (item[1].score, item[0]))
        return {codepoint: score.reason for codepoint, score in worst if score.suspect}

    def to_json(self) -> dict[str, Any]:
        return {
            **super().to_json(),
            "suspects": {codepoint_name(c): why for c, why in self.suspects.items()},
            "scores": {codepoint_name(c): score.to_json() for c, score in sorted(self.scores.items())},
        }


def calibrate_gate(
    source: Sequence[Ink8] | Ink8,
    target: Sequence[Ink8] | Ink8,
    pass_rate: float = 0.97,
    seed: int = 0,
    *,
    workers: int | None = 1,
) -> GateModel:
    """A gate for one font from its genuine pairs: (k, n, n) uint8 calibrated source and target ink.

    `pass_rate` of genuine glyphs that the fit did not see pass. `workers` processes share the work (None: one a core;
    a script that asks for more than one needs the usual `if __name__ == "__main__"`). ImageError below 20 pairs.
    """
    return fit_gate(source, target, pass_rate=pass_rate, seed=seed, workers=workers)


def score(model: GateModel, source: Ink8, generated: Ink8, uncertainty: float | None = None) -> GateScore:
    """Judge one generated (n, n) uint8 glyph by its calibrated source glyph, and by how sure its generator was."""
    if not (generated >= 128).any():
        return GateScore(0.0, True, "blank: no ink")
    try:
        require_dark_on_light(generated)
    except GlyphError as error:
        return GateScore(0.0, True, str(error))
    if not (source >= 128).any():
        return GateScore(0.0, True, "the source glyph is blank: nothing to compare with")
    a, b = features.sketch(source), features.sketch(generated)
    measures, where = model.measures(a, b)
    odds = float(model.log_odds(measures[None])[0]) - model.threshold
    reasons = [] if odds >= 0 else [_reason(model, measures, where, a, b)]
    if model.doubt and uncertainty is not None:
        if (sure := model.doubt.odds(uncertainty)) < 0:
            times = model.doubt.times(uncertainty)
            reasons.append(f"unsure: a small shift of the source changes it {times:.1f} times as much as other glyphs")
        odds = min(odds, sure)
    return GateScore(float(1 / (1 + np.exp(-np.clip(odds, -30, 30)))), bool(reasons), "; ".join(reasons))


def _reason(
    model: GateModel, measures: Floats, where: NDArray[np.float32], source: features.Sketch, image: features.Sketch
) -> str:
    z = dict(zip(NAMES, (measures - model.centre) / model.spread, strict=True))
    residual = features.residual(source, image, model.kernel, model.noise)
    parts = []
    if (np.abs(residual) > _STRIKING).mean() > _MANY_CELLS:
        parts.append("differs from the source all over, like another character")
    else:
        if max(z["gone_max"], z["missing_max"], z["residual_low"]) > _STRIKING:
            gone = where[0].argmax() if z["gone_max"] > _STRIKING else residual.argmin()
            parts.append(f"ink is missing {_place(gone)}")
        if max(z["put_max"], z["extra_max"], z["residual_high"]) > _STRIKING:
            put = where[1].argmax() if z["put_max"] > _STRIKING else residual.argmax()
            parts.append(f"ink that the source lacks {_place(put)}")
    if z["components_off"] > _STRIKING:
        parts.append(f"{image.components} separate parts where the source has {source.components}")
    if z["holes_off"] > _STRIKING:
        parts.append(f"{image.holes} counters where the source has {source.holes}")
    if z["edge_ratio"] > _STRIKING:
        parts.append("rough edges")
    if not parts and max(abs(z["centre_row"]), abs(z["centre_col"])) > _STRIKING:
        parts.append("off its place")
    return "; ".join(parts) or f"unlike the font's genuine glyphs: {_most_striking(z)}"


_IN_WORDS = {
    "cosine": "ink lies elsewhere", "overlap": "little overlap with the source", "ink_ratio": "too heavy or too light",
    "stroke_length_ratio": "too much or too little stroke", "spread_ratio": "too large or too small",
    "other": "like another character",
}  # fmt: skip


def _most_striking(z: dict[str, float]) -> str:
    return _IN_WORDS.get(max(z, key=lambda name: abs(z[name])), "strokes lie where the source's do not")


def _place(cell: np.intp) -> str:
    """`at the upper left` for a cell index of the coarse grid."""
    row, col = (int(i) * 3 // features.COARSE for i in np.unravel_index(int(cell), (features.COARSE,) * 2))
    if row == 1 and col == 1:
        return "in the middle"
    words = [word for word in (("upper", "", "lower")[row], ("left", "", "right")[col]) if word]
    return "at the " + " ".join(words) + (" edge" if len(words) == 1 else "")


class _ScoreJob:
    """Picklable: reads and scores one glyph."""

    def __init__(self, model: GateModel, folder: ImageFolder, reference: ImageFolder) -> None:
        self.model, self.folder, self.reference = model, folder, reference

    def __call__(self, codepoint: int) -> tuple[int, GateScore | None, str]:
        try:
            source = read_dark_on_light(self.reference, codepoint)
            uncertainty = self.folder.glyphs.get(codepoint, {}).get(UNCERTAINTY)
            return codepoint, score(self.model, source, self.folder.read(codepoint), uncertainty), ""
        except ImageError as error:
            return codepoint, None, str(error)


def gate_folder(
    folder: ImageFolder,
    reference: ImageFolder,
    truth: tuple[ImageFolder, ImageFolder] | None = None,
    *,
    settings: GateSettings,
    model: GateModel | None = None,
) -> GateReport:
    """Score every image of `folder` against its source glyph in `reference`, all on one canvas.

    `truth` is (genuine images of the target font, source images of the same codepoints) and
    calibrates the gate; without it the batch itself sets the scale, and only its outliers are
    suspect. A `model` made before by `calibrate_gate` is used as it is. ImageError when canvases differ.
    """
    for other in (reference, *(truth or ())):
        if other.canvas.size_px != folder.canvas.size_px:
            raise ImageError(
                f"{other.root}: images of {other.canvas.size_px} px, but {folder.root} has "
                f"{folder.canvas.size_px} px; render both on the same canvas"
            )
    report = GateReport("gate")
    judged = [codepoint for codepoint in folder.codepoints if codepoint in reference.files]
    for codepoint in folder.codepoints:
        if codepoint not in reference.files:
            report.add_skipped(codepoint, f"{reference.root} has no source glyph to compare with")
    model = model or _model(folder, reference, truth, settings).doubting(uncertainties(folder), settings.outlier_spread)
    for codepoint, result, problem in parallel_map(_ScoreJob(model, folder, reference), judged):
        if result is None:
            report.add_failed(codepoint, problem)
        else:
            report.add_done(codepoint)
            report.scores[codepoint] = result
    report.figures = {
        "suspects": len(report.suspects),
        "uncertainty_known": model.doubt is not None,
        "basis": model.basis,
        "pass_rate": model.pass_rate,
        "pairs": model.num_pairs,
        "mistakes_caught": dict(model.figures),
    }
    return report


def _model(
    folder: ImageFolder, reference: ImageFolder, truth: tuple[ImageFolder, ImageFolder] | None, settings: GateSettings
) -> GateModel:
    if truth is not None:
        pairs = _read_pairs(*truth, settings.max_pairs)
        if len(pairs) >= MIN_PAIRS:
            sources, targets = [s for s, _ in pairs], [t for _, t in pairs]
            return calibrate_gate(sources, targets, settings.pass_rate, settings.seed, workers=None)
    return batch_model(folder, reference, settings)


def batch_model(folder: ImageFolder, reference: ImageFolder, settings: GateSettings) -> GateModel:
    """A gate without genuine pairs: the batch itself sets the scale, or a fixed rule where it is a handful."""
    pairs = _read_pairs(folder, reference, settings.max_pairs)
    if len(pairs) < MIN_PAIRS:
        return fixed_model()
    return fit_gate(
        [s for s, _ in pairs], [t for _, t in pairs], pass_rate=settings.pass_rate, seed=settings.seed,
        outlier_spread=settings.outlier_spread,
    )  # fmt: skip


def uncertainties(folder: ImageFolder) -> list[float]:
    """What a folder of drawings says of how sure the generator was, in no order."""
    return [record[UNCERTAINTY] for record in folder.glyphs.values() if UNCERTAINTY in record]


def _read_pairs(images: ImageFolder, reference: ImageFolder, count: int) -> list[tuple[Ink8, Ink8]]:
    """(source, image) pairs of readable, inked glyphs, spread over the set."""
    pairs = []
    for codepoint in spread_sample([c for c in images.codepoints if c in reference.files], count):
        try:
            source, image = read_dark_on_light(reference, codepoint), read_dark_on_light(images, codepoint)
        except ImageError:
            continue  # the scoring of that glyph names the file
        if (source >= 128).any() and (image >= 128).any():
            pairs.append((source, image))
    return pairs
