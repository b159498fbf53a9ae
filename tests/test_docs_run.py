"""Every command that the documentation shows does what it says: taken from the pages and run, page by page.

A page's commands run in the order in which they stand there, in a folder that holds what the page takes for granted.
What is put in the place of something else stands in the tables below, and nowhere else.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from box_fonts import FIXTURES, NOTO, ZEN, kanji_of, part_of
from click.testing import CliRunner
from docs_pages import PAGES, ROOT, shown_commands
from fontTools.ttLib import TTFont
from PIL import ImageDraw
from tiny_build import RECIPE, tiny_checkpoint
from zi2zi_pytorch import UNet, trained

from fontgen.cli import main
from fontgen.glyphs.template import Template, draw_page

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

DOCUMENTS = [page for page in PAGES if page.name != "CHANGELOG.md"]  # which tells of the past

# what is not run here, and why; a test that is named runs it, or the same elsewhere

NOT_RUN = {
    "make setup": "needs a network; tests/test_setup.py::"
    "test_a_fresh_machine_gets_everything_in_order_and_the_second_run_does_nothing",
    "make font": "tests/test_setup.py::test_make_font_builds_the_demo_and_fails_with_it",
    "make test": "tests/test_setup.py::test_make_test_runs_lint_types_and_tests",
    "make help": "tests/test_setup.py::test_help_is_the_default_and_lists_every_target",
    "make fonts": "needs a network",
    "make bench": "hours; tests/test_setup.py::test_every_part_of_bench_names_a_module_of_the_benchmarks",
    "make bench-train": "minutes; tests/test_benchmark_train.py::test_figures_are_written_and_printed",
    **dict.fromkeys(
        ("make bench-cuda", "python -m benchmarks.train_cuda --resume --slice-seconds 420"),
        "a GPU; tests/test_benchmark_train_cuda.py::test_rows_are_kept_and_resumed",
    ),
    **dict.fromkeys(
        ("make bench-cuda-quality", "python -m benchmarks.quality_cuda --slice-seconds 540"),
        "a GPU; tests/test_benchmark_quality_cuda.py::test_rows_are_trained_for_their_time_and_judged",
    ),
    "python -m benchmarks.train_cuda --device cpu --size 64 --ngf 8 --batch 2 --steps 2 --rounds 1 --glyphs 8 "
    "--backend aot_eager --json build/tiny.json": "nine processes, one after the other; "
    "tests/test_benchmark_train_cuda.py::test_every_row_of_training_has_its_figures",
    "make bench-build": "long; tests/test_release.py::"
    "test_make_release_makes_the_demo_from_a_stored_checkpoint_without_training",
    "make bench-proof": "minutes; tests/test_proof_browser.py::"
    "test_twenty_thousand_glyphs_of_which_only_those_in_sight_exist",
    "make bench-repair": "minutes; tests/test_setup.py::test_every_part_of_bench_names_a_module_of_the_benchmarks",
    "make release RECIPE=my-font.toml VERSION=1.001 CHECKPOINT=my-font.safetensors": "of a checkout: "
    "tests/test_release.py::test_make_release_makes_the_demo_from_a_stored_checkpoint_without_training",
    "make release": "of a checkout: "
    "tests/test_release.py::test_make_release_makes_the_demo_from_a_stored_checkpoint_without_training",
    "fontgen check FONT --fontbakery": "an extra of the package; "
    "tests/test_fonts_check_bakery.py::test_statuses_become_levels",
    "python -m scripts.outline_pictures": "minutes",
    "make bench-outline": "minutes; tests/test_setup.py::"
    "test_every_part_of_bench_names_a_module_of_the_benchmarks",
    "python -m benchmarks.outline_speed FONT --glyphs 21000": "minutes",
    "python -m benchmarks.outline_roundtrip": "minutes",
    "python -m benchmarks.outline_fonts FILE[#FACE]... --count 40 --seed 2": "minutes, with fonts of many packages",
    "python -m benchmarks.outline_roundtrip FONT... --count N": "minutes",
    "FONTGEN_PYTHON=/path/to/python make setup": "needs a network; "
    "tests/test_setup.py::test_a_chosen_interpreter_is_used_or_refused",
    "sudo apt install g++ pkg-config libpotrace-dev libagg-dev python3-dev": "changes the machine; "
    "tests/test_setup.py::test_without_apt_the_commands_for_three_systems_are_named",
    "sudo dnf install gcc-c++ pkgconf potrace-devel agg-devel python3-devel": "changes the machine; "
    "tests/test_setup.py::test_without_apt_the_commands_for_three_systems_are_named",
    "brew install pkg-config potrace agg": "changes the machine; "
    "tests/test_setup.py::test_without_apt_the_commands_for_three_systems_are_named",
    "rm -r .venv": "the environment that the tests run in",
    "rm -r .venv && make setup": "the environment that the tests run in",
    "python3 -m venv .venv": "the environment that the tests run in",
    "pip install ./fontgen": "needs a network; tests/test_installed.py::"
    "test_installed_alone_it_makes_a_font_from_two_fonts",
    "tensorboard --logdir": "a server",
    "pip install 'fontgen[tensorboard]'": "needs a network",
    'pip install "fontgen[metrics]"': "needs a network",
    "git lfs track \"*.safetensors\"": "needs Git LFS",
    **dict.fromkeys(
        [
            "torchrun --nproc-per-node N -m fontgen train RECIPE",
            "torchrun --nproc-per-node 2 -m fontgen train my-font.toml",
            "torchrun --nproc-per-node 2 -m fontgen infer my-font.toml",
            "torchrun --nproc-per-node 4 -m fontgen train my-font.toml",
        ],
        "tests/test_zi2zi_distributed.py::test_torchrun_trains_and_draws_as_one_process_does",
    ),
}  # fmt: skip

ONCE = {"fontgen build pipelines/demo.toml": "README.md"}
"""Commands that need nothing of the page's folder -> the page on which they are run."""

# what is put in the place of a word

IN_PLACE_OF = {
    "RECIPE": "my-font.toml",
    "FONT": "MyFont.ttf",
    "FONT...": "MyFont.ttf",
    "NAME": "cpu",
    "FILE": "figures.json",
    "COMMAND": "charset",
    "...": "joyo",
    "cuda": "cpu",
    "big5": "龘靐永東",
    "ksx1001-hangul": "가각",
}
"""The last are sets to build, of which the small fonts have this much."""
DIR_AFTER = {"-o": "made", "--reference": "source", "--truth": "genuine"}
"""What `DIR` stands for after an option; elsewhere it is `drawn`."""
SMALLER = RECIPE[RECIPE.index("[canvas]") : RECIPE.index("[font.names]")].replace(
    "embedding_num = 1", "embedding_num = 3\nattention = []"
)
"""Added to the recipe that `fontgen init` writes: its preset trains for minutes."""
DEMO_SMALLER = {"steps = 450": "steps = 2"}
SHARED = kanji_of(ZEN)[::33][:24]
NEW = kanji_of(FIXTURES / "zen-maru-gothic-bold-truth.ttf")[::50][:4]
SHOWN = dict(zip([*map(ord, "龘靐永東"), 0xAC00, 0xAC01], [*NEW, *NEW[:2]], strict=True))
"""Characters of the documentation -> those whose glyphs the small fonts show for them."""
FONTS = {
    "MyFont.ttf": (ZEN, SHARED),
    "MyFont-Bold.ttf": (ZEN, SHARED),
    "NotoSansTC-Bold.otf": (NOTO, [*SHARED, *NEW, *SHOWN]),
    "NotoSansJP-Bold.otf": (NOTO, [*SHARED, *NEW, *SHOWN]),
    "NotoSansKR-Bold.otf": (NOTO, [*SHARED, *NEW, *SHOWN]),
    "NotoSerifTC-Regular.otf": (NOTO, SHARED),
    "Designer.otf": (FIXTURES / "zen-maru-gothic-bold-truth.ttf", [0x9F98, 0x9750]),
    "Truth.ttf": (FIXTURES / "zen-maru-gothic-bold-truth.ttf", [*NEW, *SHOWN]),
    "fixtures/noto-sans-jp-bold.ttf": (NOTO, [*SHARED, *NEW]),
    "fixtures/zen-maru-gothic-bold.ttf": (ZEN, SHARED),
    "fixtures/zen-maru-gothic-bold-truth.ttf": (FIXTURES / "zen-maru-gothic-bold-truth.ttf", NEW),
}
"""Names in the documentation -> the font that stands in for it and the characters that it keeps."""


def font(path: Path, standing_in: Path, codepoints: Iterable[int]) -> None:
    wanted = list(codepoints)
    part_of(standing_in, [SHOWN.get(c, c) for c in wanted], path)
    opened = TTFont(path, recalcTimestamp=False)
    opened["name"] = TTFont(standing_in)["name"]
    for table in opened["cmap"].tables:
        table.cmap = {codepoint: table.cmap[SHOWN.get(codepoint, codepoint)] for codepoint in wanted}
    opened.save(path)


def fontgen(words: list[str]) -> None:
    """Run a command in the working folder. What it writes must be there afterwards."""
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, f"fontgen {shlex.join(words)}: status {result.exit_code}\n{result.output}"
    for option in ("-o", "--output", "--json"):
        if option in words:
            assert Path(words[words.index(option) + 1]).exists(), f"fontgen {shlex.join(words)} wrote nothing"
    if words[0] == "init":
        recipe = Path(words[words.index("-o") + 1])
        recipe.write_text(re.sub("^preset = .*", "", recipe.read_text("utf-8"), flags=re.M) + SMALLER, "utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A folder with all that the documentation takes for granted: fonts, checkpoints, lists, and a build."""
    root = tmp_path_factory.mktemp("documents")
    for folder in ("fixtures/models", "pipelines"):
        (root / folder).mkdir(parents=True)
    for name, (standing_in, codepoints) in FONTS.items():
        font(root / name, standing_in, codepoints)
    shutil.copy(FIXTURES / "models" / "base-128.safetensors", root / "fixtures" / "models")
    demo = (ROOT / "pipelines" / "demo.toml").read_text(encoding="utf-8")
    for whole, small in DEMO_SMALLER.items():
        assert whole in demo
        demo = demo.replace(whole, small)
    (root / "pipelines" / "demo.toml").write_text(demo, encoding="utf-8")
    tiny_checkpoint(root / "best.safetensors", ["Regular", "My Hand"])
    tiny_checkpoint(root / "my-font.safetensors")
    torch.save(trained(UNet(ngf=4, downs=7)).state_dict(), root / "100_net_G.pth")
    (root / "my-500.txt").write_text("".join(map(chr, kanji_of(NOTO)[:82])), encoding="utf-8")
    (root / "marks.txt").write_text("U+9F98 redo 0.412\nU+9750 fix broken stroke\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        fontgen(["init", "--source", "NotoSansTC-Bold.otf", "--target", "MyFont.ttf", "-o", "my-font.toml"])
        for name in ("my-font-regular", "my-font-bold"):
            shutil.copy("my-font.toml", f"{name}.toml")
        fontgen(["build", "my-font.toml"])
        build = Path("build/my-font")
        for folder, stage in (("drawn", "infer"), ("source", "source")):
            shutil.copytree(build / stage, folder)
        fontgen(["render", "MyFont.ttf", "--charset", "MyFont.ttf", "-o", "genuine", "--canvas-size", "64"])
        for folder, made in (("old", Path("MyFont.ttf")), ("new", build / "assemble" / "my-font.ttf")):
            Path(folder).mkdir()
            shutil.copy(made, f"{folder}/MyFontPlus.ttf")
        shutil.copy("new/MyFontPlus.ttf", "MyFontPlus.ttf")
    return root


def write_and_scan(template: Path, scans: list[str]) -> None:
    """What a person does between `fontgen template` and `fontgen cut`."""
    boxes = Template.open(template)
    for page, scan in enumerate(scans):
        sheet = draw_page(boxes, page, dpi=150)
        pen = ImageDraw.Draw(sheet)
        for box in boxes.boxes(page).values():
            left, top, right, bottom = (value * 150 / 25.4 for value in box)
            pen.line((left + 20, top + 20, right - 20, bottom - 20), fill=0, width=12)
        sheet.save(scan)


def words_of(command: str) -> list[str]:
    """The words of a command after `fontgen`, each with what is put in its place."""
    words = shlex.split(command)
    return [
        DIR_AFTER.get(before, "drawn") if word == "DIR" else IN_PLACE_OF.get(word, word)
        for before, word in pairwise(words)
    ]


@pytest.mark.parametrize("page", DOCUMENTS, ids=[str(page.relative_to(ROOT)) for page in DOCUMENTS])
def test_the_commands_of_a_page_run_one_after_the_other(
    page: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(project, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    for command in shown_commands(page):
        if command in NOT_RUN or (command in ONCE and page.name != ONCE[command]):
            continue
        assert command.startswith("fontgen "), f"{page.name}: neither run nor listed: {command}"
        words = words_of(command)
        if words[0] == "init":
            Path("my-font.toml").unlink()
        if words[0] == "cut":
            write_and_scan(Path(words[words.index("--template") + 1]), [w for w in words if w.startswith("scan-")])
        fontgen(words)


def test_what_is_not_run_is_still_shown_and_tested_where_it_says() -> None:
    shown = {command for page in DOCUMENTS for command in shown_commands(page)}
    assert NOT_RUN.keys() - shown == set()
    for command, reason in NOT_RUN.items():
        for file, name in re.findall(r"(tests/\w+\.py)::(\w+)", reason):
            assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{command}: {reason}"


def test_a_command_that_does_not_work_would_be_noticed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(AssertionError, match=r"status 2\n.*nothing.toml"):
        fontgen(["plan", "nothing.toml"])
