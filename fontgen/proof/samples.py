"""Texts to look at a font with. All are in the public domain or free to quote."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

MIN_COVERAGE = 0.8
"""A script is set when the font has this share of a text's characters; below it one sees only gaps."""


@dataclass(frozen=True)
class Sample:
    """A text in one script: a line to set large and a paragraph to set small."""

    lang: str
    """BCP 47 tag, so that the browser picks the right variants and line breaking."""
    name: str
    large: str
    small: str

    @property
    def characters(self) -> set[str]:
        return {character for character in self.large + self.small if not character.isspace()}

    def coverage(self, covered: Set[int]) -> float:
        characters = self.characters
        return sum(ord(character) in covered for character in characters) / len(characters)


SAMPLES = (
    Sample(
        "zh-Hant",
        "Traditional Chinese",
        "學而時習之，不亦說乎？",
        "有朋自遠方來，不亦樂乎？人不知而不慍，不亦君子乎？人人生而自由，在尊嚴和權利上一律平等。"
        "他們賦有理性和良心，並應以兄弟關係的精神相對待。道可道，非常道；名可名，非常名。無名天地之始，有名萬物之母。",
    ),
    Sample(
        "zh-Hant",
        "Traditional Chinese",
        "春眠不覺曉，處處聞啼鳥",
        "夜來風雨聲，花落知多少。床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。"
        "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。",
    ),
    Sample(
        "zh-Hans",
        "Simplified Chinese",
        "人人生而自由，一律平等。",
        "他们赋有理性和良心，并应以兄弟关系的精神相对待。人人有资格享有本宣言所载的一切权利和自由，"
        "不分种族、肤色、性别、语言、宗教、政治或其他见解。",
    ),
    Sample(
        "ja",
        "Japanese",
        "山路を登りながら、こう考えた。",
        "智に働けば角が立つ。情に棹させば流される。意地を通せば窮屈だ。とかくに人の世は住みにくい。"
        "住みにくさが高じると、安い所へ引き越したくなる。どこへ越しても住みにくいと悟った時、詩が生れて、画が出来る。",
    ),
    Sample(
        "ja",
        "Japanese",
        "いろはにほへと ちりぬるを",
        "わかよたれそ つねならむ。うゐのおくやま けふこえて。あさきゆめみし ゑひもせす。"
        "アイウエオ、カキクケコ、サシスセソ。",
    ),
    Sample(
        "ko",
        "Korean",
        "죽는 날까지 하늘을 우러러",
        "한 점 부끄럼이 없기를, 잎새에 이는 바람에도 나는 괴로워했다. 별을 노래하는 마음으로 모든 "
        "죽어가는 것을 사랑해야지. 그리고 나한테 주어진 길을 걸어가야겠다. 오늘 밤에도 별이 바람에 스치운다.",
    ),
    Sample(
        "en",
        "Latin",
        "Hamburgefonstiv 0123456789",
        "The quick brown fox jumps over the lazy dog. Sphinx of black quartz, judge my vow. "
        "All human beings are born free and equal in dignity and rights: (1948), 30 articles, 100% & more!",
    ),
)


def choose_samples(covered: Set[int]) -> tuple[list[Sample], list[tuple[str, float]]]:
    """A text of each script that the font can set, and the other scripts with their best coverage.

    Of a script's texts the first that is covered well enough is taken, in the order of `SAMPLES`.
    """
    best: dict[str, Sample] = {}
    for sample in SAMPLES:
        known = best.get(sample.name)
        if known is None or sample.coverage(covered) > known.coverage(covered) < MIN_COVERAGE:
            best[sample.name] = sample
    shown = [sample for sample in best.values() if sample.coverage(covered) >= MIN_COVERAGE]
    left = [(name, sample.coverage(covered)) for name, sample in best.items() if sample not in shown]
    return shown, left


def spread(codepoints: Sequence[int], count: int) -> str:
    """`count` of the characters, evenly spread over the sequence."""
    if len(codepoints) <= count:
        return "".join(map(chr, codepoints))
    step = len(codepoints) / count
    return "".join(chr(codepoints[int((number + 0.5) * step)]) for number in range(count))


def is_ideograph(codepoint: int) -> bool:
    return 0x3400 <= codepoint <= 0x9FFF or 0xF900 <= codepoint <= 0xFAFF or 0x20000 <= codepoint <= 0x3FFFF


def _is_hangul(codepoint: int) -> bool:
    return 0xAC00 <= codepoint <= 0xD7A3


def _is_kana(codepoint: int) -> bool:
    return 0x3041 <= codepoint <= 0x3096 or 0x30A1 <= codepoint <= 0x30FA


def _is_letter(codepoint: int) -> bool:
    return chr(codepoint).isalpha()


_SHOWPIECES: tuple[Callable[[int], bool], ...] = (is_ideograph, _is_hangul, _is_kana, _is_letter)


def showpieces(codepoints: Sequence[int]) -> list[int]:
    """The characters worth showing large: ideographs where there are any, else syllables, kana, letters."""
    for belongs in _SHOWPIECES:
        if found := [codepoint for codepoint in codepoints if belongs(codepoint)]:
            return found
    return list(codepoints)
