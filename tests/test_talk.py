"""What is said while work goes on, off a terminal."""

from __future__ import annotations

import pytest

from fontgen import talk
from fontgen.stages.training import _progress_words
from fontgen.talk import Talk


def test_off_a_terminal_there_are_few_plain_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = 0.0
    monkeypatch.setattr(talk.time, "monotonic", lambda: clock)
    with Talk().progress("train", 1000, done=400) as update:
        for step in range(401, 426):
            clock += 1.0
            update(step, "l1 0.1")
    # The 400 steps of before take no part in the time left.
    assert capsys.readouterr().err.splitlines() == [
        "  train 410/1000 l1 0.1 (10 min left)",
        "  train 420/1000 l1 0.1 (10 min left)",
    ]


def test_quiet_talk_warns_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = Talk(quiet=True)
    with quiet.progress("train", 10) as update:
        update(5, "words")
    quiet.line("not said")
    quiet.warn("the discriminator has won")
    assert capsys.readouterr().err == "warning: the discriminator has won\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (99.4, "99 s"), (100, "2 min"), (5930, "99 min"), (12_000, "3 h 20 min")]
)
def test_time_left_is_short(seconds: float, text: str) -> None:
    assert talk._duration(seconds) == text


def test_the_words_of_a_step() -> None:
    figures = {"step": 7, "l1": 0.0612, "d_loss": 0.31, "adversarial": 1.42, "lambda_adv": 0.6, "category": 0.1}
    said = _progress_words(figures | {"images_per_second": 41.2, "gpu_gib": 3.21})
    assert said == "l1 0.0612, adversarial 1.42, d_loss 0.31, lambda_adv 0.6, 41.2 images/s, 3.2 GiB"
    assert _progress_words({"l1": None, "images_per_second": 0.5}) == "0.5 images/s"
