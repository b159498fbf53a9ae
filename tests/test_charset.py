"""Charset expressions: known sizes, set algebra, files, and every error text."""

from pathlib import Path

import pytest

from fontgen.charset import named_set, parse_charset, parse_charset_text, set_names
from fontgen.errors import CharsetError


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("ascii", 95),
        ("gb2312", 7445),
        ("gb2312-1", 3755),
        ("gb2312-2", 3008),
        ("big5", 13706),
        ("big5-1", 5401),
        ("jisx0208", 6879),
        ("jisx0208-1", 2965),
        ("jisx0208-2", 3390),
        ("joyo", 2136),
        ("ksx1001-hangul", 2350),
        ("ksx1001-hanja", 4888),
        ("hangul-modern", 11172),
        ("cjk-unified", 20992),
        ("gb18030-2022", 27584),
    ],
)
def test_named_sets_have_the_sizes_of_their_standards(name: str, size: int) -> None:
    assert len(named_set(name)) == size


def test_every_named_set_parses_and_has_no_duplicates() -> None:
    for name in set_names():
        codepoints = parse_charset(name)
        assert len(codepoints) == len(set(codepoints)) > 20, name


def test_level_one_and_two_make_the_kanji_of_jisx0208() -> None:
    both = set(named_set("jisx0208-1")) | set(named_set("jisx0208-2"))
    in_row_1 = {0x4EDD}  # the repetition mark 仝 stands among the symbols
    assert both | in_row_1 == {c for c in named_set("jisx0208") if 0x4E00 <= c <= 0x9FFF}


def test_jisx0213_reaches_the_supplementary_planes() -> None:
    assert 0x2000B in named_set("jisx0213")
    assert sum(c > 0xFFFF for c in named_set("jisx0213")) == 303


def test_set_algebra_runs_from_left_to_right() -> None:
    assert parse_charset("U+4E00-4E05 - U+4E02 + U+4E02") == (0x4E00, 0x4E01, 0x4E03, 0x4E04, 0x4E05, 0x4E02)
    assert parse_charset("U+4E00-4E05 - (U+4E02 + U+4E03)") == (0x4E00, 0x4E01, 0x4E04, 0x4E05)
    assert parse_charset("U+4E00-4E05 & U+4E03-4E08") == (0x4E03, 0x4E04, 0x4E05)
    assert parse_charset("U+20000") == (0x20000,)


def test_literal_characters_are_a_set() -> None:
    assert parse_charset("龘靐 + U+0041") == (0x9F98, 0x9750, 0x41)


def test_charset_files(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# a comment\n一二 U+4E09\nU+4E94-4E95\n#\n一", encoding="utf-8")
    assert parse_charset("@list.txt", folder=tmp_path) == (0x4E00, 0x4E8C, 0x4E09, 0x4E94, 0x4E95)
    (tmp_path / "my list.txt").write_text("\ufeff一", encoding="utf-8")
    assert parse_charset('"@my list.txt"', folder=tmp_path) == (0x4E00,)
    assert parse_charset_text("a#b") == (0x61, 0x23, 0x62)


def test_a_font_stands_for_its_cmap(fixtures: Path) -> None:
    truth = parse_charset("zen-maru-gothic-bold-truth.ttf", folder=fixtures)
    listed = parse_charset("@truth-kanji.txt", folder=fixtures)
    assert set(listed) <= set(truth)
    rest = parse_charset("@demo-kanji.txt - zen-maru-gothic-bold.ttf", folder=fixtures)
    assert set(rest) == set(listed)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "charset: empty"),
        ("big6", "unknown set 'big6'; did you mean big5"),
        ("qqqqqqqq", "the named sets are: ascii"),
        ("ascii big5", "'big5' needs an operator before it"),
        ("ascii +", "a set is missing at the end"),
        ("+ ascii", "a set is missing before '\\+'"),
        ("(ascii", "a parenthesis is not closed"),
        ("ascii)", "a parenthesis too many"),
        ('"ascii', "a quote is not closed"),
        ("U+4E05-4E00", "not a range of codepoints"),
        ("ascii - ascii", "no characters are left"),
        ("@none.txt", "none.txt: no such charset file"),
        ("none.ttf", "none.ttf: no such font file"),
    ],
)
def test_errors_say_what_is_wrong(expression: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CharsetError if "ttf" not in expression else Exception, match=message):
        parse_charset(expression, folder=tmp_path)


def test_a_file_that_is_not_utf8_is_named_with_the_byte(tmp_path: Path) -> None:
    (tmp_path / "big5.txt").write_bytes("中文".encode("big5"))
    with pytest.raises(CharsetError, match=r"big5\.txt: not UTF-8 \(byte 0 is 0xA4\); save it as UTF-8"):
        parse_charset("@big5.txt", folder=tmp_path)
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(CharsetError, match="an empty charset file"):
        parse_charset("@empty.txt", folder=tmp_path)
