"""Which style to draw in: one that a network has learned, or a mixture of several. Imports no torch.

    expression = ["-"] term (("+" | "-") term)*
    term       = [number "*"] style
    style      = name | index

Weights are divided by their sum: "a + b" is the middle, "3*a + b" lies nearer to a. A negative weight
goes beyond a style, away from another: "1.5*bold - 0.5*regular".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fontgen.canvas import Placement
from fontgen.errors import RecipeError

_SIGN = re.compile(r"\s*([+-]?)\s*")
_FACTOR = re.compile(r"(\d+\.?\d*|\.\d+)\s*\*\s*")
_END = re.compile(r"\s*(?:$|(?=[+-]))")
"""What follows a style: the end, or the sign of the next term."""
_INDEX = re.compile(r"(\d+)" + _END.pattern)

_NOTHING = 1e-9
"""Weights that cancel down to this are nothing: what is left of 0.1 + 0.2 - 0.3 is smaller."""


@dataclass(frozen=True)
class StyleMix:
    """A point among the styles of a network."""

    weights: tuple[tuple[int, float], ...]
    """(style index, weight), indices ascending, weights adding up to 1."""

    @classmethod
    def of(cls, style_index: int) -> StyleMix:
        """One style alone."""
        return cls(((style_index, 1.0),))

    @property
    def single(self) -> int | None:
        """The style index, when it is one style alone."""
        return self.weights[0][0] if len(self.weights) == 1 else None

    def placement(self, placements: Sequence[Placement]) -> Placement:
        """Where source glyphs are placed: the weighted mean of the styles' placements, by style index."""
        if self.single is not None:
            return placements[self.single]
        return Placement(
            scale=sum(weight * placements[index].scale for index, weight in self.weights),
            dx_em=sum(weight * placements[index].dx_em for index, weight in self.weights),
            dy_em=sum(weight * placements[index].dy_em for index, weight in self.weights),
        )


def parse_style(expression: str, names: Sequence[str]) -> StyleMix:
    """Read a style expression; `names` are the styles by style index, "" for an index without a style.

    Names are matched whatever their case; a name that is a number yields to the index. Raises
    RecipeError for an unknown style (it lists the known ones) and for weights that add up to nothing.
    """
    sums: dict[int, float] = {}
    position = 0
    while position < len(expression) or not sums:
        sign, position = _sign(expression, position)
        weight, found = 1.0, _style_at(expression, position, names)
        if found is None and (factor := _FACTOR.match(expression, position)):
            weight, position = float(factor[1]), factor.end()
            found = _style_at(expression, position, names)
        if found is None:
            raise RecipeError(_unknown(expression, position, names))
        index, position = found
        sums[index] = sums.get(index, 0.0) + sign * weight
    total = sum(sums.values())
    if total <= _NOTHING:
        raise RecipeError(f"style {expression!r}: the weights add up to {total:g}; they must add up to more than 0")
    kept = {index: weight / total for index, weight in sums.items() if abs(weight) > _NOTHING}
    return StyleMix.of(*kept) if len(kept) == 1 else StyleMix(tuple(sorted(kept.items())))


def _sign(expression: str, position: int) -> tuple[float, int]:
    """The sign before a term, and where the term begins; none is a plus."""
    match = _SIGN.match(expression, position)
    assert match is not None  # it matches nothing as well
    return (-1.0 if match[1] == "-" else 1.0), match.end()


def _style_at(expression: str, position: int, names: Sequence[str]) -> tuple[int, int] | None:
    """(style index, where the next term begins) of the style that stands here: an index, or the longest name."""
    if (index := _INDEX.match(expression, position)) and int(index[1]) < len(names) and names[int(index[1])]:
        return int(index[1]), index.end()
    fits: dict[int, list[tuple[int, int]]] = {}
    for number, name in enumerate(names):
        end = position + len(name)
        if name and expression[position:end].casefold() == name.casefold() and (rest := _END.match(expression, end)):
            fits.setdefault(len(name), []).append((number, rest.end()))
    if not fits:
        return None
    longest = fits[max(fits)]
    if len(longest) > 1:
        numbers = " and ".join(str(number) for number, _ in longest)
        raise RecipeError(
            f"style {expression!r}: styles {numbers} are both called {names[longest[0][0]]!r}; write the index"
        )
    return longest[0]


def _unknown(expression: str, position: int, names: Sequence[str]) -> str:
    rest = expression[position:].strip()
    known = ", ".join(f"{number} ({name})" for number, name in enumerate(names) if name)
    where = f"no style {rest!r}" if rest else "a style is missing at the end"
    return f"style {expression!r}: {where}; there are {known}, and sums such as '0.3*0 + 0.7*1'"
