"""Two fonts in, a font out: what runs, what runs again, and what an interruption costs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_fonts import ZEN, box_font
from fontTools.pens.boundsPen import BoundsPen
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont
from tiny_build import BEYOND, EVERYTHING, NEW, SHARED, SPACE, Project, half_written, make_project, ran

from fontgen import __version__, pipeline
from fontgen.canvas import Canvas
from fontgen.errors import codepoint_name
from fontgen.files import json_text
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import ImageFolder, image_name, write_ink, written
from fontgen.stages import drawing as drawing_stage
from fontgen.stages import training
from fontgen.workspace import StageFolder

GENERATED = [*NEW, BEYOND]
STAGE_NAMES = tuple(name for name in pipeline.STAGE_NAMES if name != "retry")
"""Of a recipe without retries; test_retry.py has one with them."""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose build is complete. Tests copy it."""
    project = make_project(tmp_path_factory.mktemp("built") / "project")
    result = project.run()
    assert result.exit_code == 0, result.output
    assert ran(result) == list(STAGE_NAMES)
    return project


@pytest.fixture(autouse=True)
def _plain_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing the loss curves takes most of a tiny build; the first one of this module draws them."""
    monkeypatch.setattr("fontgen.proof.curves.plot_curves", lambda metrics, path: path.write_bytes(b"curves"))


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    return built.copy(tmp_path / "project")


@pytest.fixture
def ink_counter(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that the infer stage wrote."""
    names: list[str] = []

    def counting(folder: Path, images: Any) -> Iterator[int]:
        for codepoint in written(folder, images):
            names.append(image_name(codepoint))
            yield codepoint

    monkeypatch.setattr(drawing_stage, "written", counting)
    return names


def drawing(font: TTFont, codepoint: int) -> list[Any]:
    glyph_set, pen = font.getGlyphSet(), DecomposingRecordingPen(font.getGlyphSet())
    glyph_set[font.getBestCmap()[codepoint]].draw(pen)
    return pen.value


def drawn(result_stderr: str) -> str:
    """What the infer stage says that it did."""
    return next(line.strip() for line in result_stderr.splitlines() if line.startswith("  infer: "))


# the result


def test_the_font_has_what_was_wanted_and_the_target_s_own_glyphs_as_they_were(built: Project) -> None:
    for suffix in ("ttf", "otf", "woff2"):
        font = built.ttf.with_suffix(f".{suffix}")
        face = open_face(FontRef.of(font))
        assert face.cmap.keys() >= {*SHARED, *GENERATED, SPACE}
        assert set(face.states([*GENERATED, SPACE]).values()) == {"ok"}
    old, new = TTFont(built.root / "target.ttf"), TTFont(built.ttf)
    assert all(drawing(new, codepoint) == drawing(old, codepoint) for codepoint in SHARED)
    assert new["name"].getDebugName(1) == "Tiny"


def test_a_generated_glyph_stands_where_the_calibrated_source_stands(built: Project) -> None:
    canvas = Canvas(size_px=64)
    source = ImageFolder.open(built.out / "source")
    for codepoint in NEW:
        ink = render_ink(open_face(FontRef.of(built.ttf)), codepoint, canvas) / 255
        expected = source.read(codepoint) / 255
        # three steps of training change little; an upside-down or displaced glyph falls below this
        assert np.minimum(ink, expected).sum() / np.maximum(ink, expected).sum() > 0.5


def test_everything_that_explains_the_result_is_beside_it(built: Project) -> None:
    charset = json.loads((built.out / "charset" / "charset.json").read_text())
    assert charset["generate"] == [codepoint_name(c) for c in GENERATED]
    assert charset["blank"] == ["U+3000"]
    assert json.loads((built.out / "recipe.json").read_text())["font"]["names"]["family"] == "Tiny"
    for name in ("proof.html", "sheet.png", "zoom.png", "curves.png"):
        assert (built.out / "proof" / name).stat().st_size > 1000
    assert (built.out / "train" / "curves.png").stat().st_size > 1000
    trained = json.loads((built.out / "train" / "stage.json").read_text())["figures"]
    assert (trained["health"], trained["ended"]) == ([], "")
    assert [entry["file"] for entry in trained["checkpoints"]] == ["best.safetensors", "step-0000003.safetensors"]
    assert (built.out / "evaluate" / "evaluation.json").exists()
    assert half_written(built.out) == []


def test_the_fonts_stand_beside_where_they_come_from(project: Project) -> None:
    path = project.ttf.with_name("tiny.provenance.json")
    text, digest = path.read_text(), lambda file: hashlib.sha256(file.read_bytes()).hexdigest()
    data = json.loads(text)
    assert set(data["fonts"]) == {"tiny.ttf", "tiny.otf", "tiny.woff2"}
    assert data["fonts"]["tiny.ttf"]["sha256"] == digest(project.ttf)
    assert data["inputs"]["target.font"] == {"file": "target.ttf", "sha256": digest(project.root / "target.ttf")}
    assert data["checkpoint"]["sha256"] == digest(project.out / "train" / "best.safetensors")
    assert data["recipe"]["font"]["names"]["family"] == "Tiny"
    assert data["recipe_sha256"] == hashlib.sha256(json_text(data["recipe"]).encode()).hexdigest()
    assert data["versions"]["fontgen"] == __version__
    assert set(data["figures"]) == {"charset", "calibrate", "clean", "register", "gate"}
    assert not re.search(r'"(/|[A-Z]:)', text)  # no path of this machine
    assert ran(project.run("--from", "assemble")) == ["assemble", "check", "evaluate", "proof"]
    assert path.read_text() == text
    path.unlink()
    assert ran(project.run())[0] == "assemble"
    assert path.read_text() == text


def test_the_summary_repeats_what_was_wrong_to_the_end_of_training(project: Project) -> None:
    path = project.out / "train" / "stage.json"
    manifest = json.loads(path.read_text())
    lasting = {"kind": "style_flat", "words": "the style is flat", "from": 2, "to": None}
    manifest["figures"]["health"] = [lasting, lasting | {"words": "it was mended", "to": 3}]
    manifest["figures"]["ended"] = "stopped early at step 2 of 3"
    path.write_text(json.dumps(manifest))
    lines = project.run().stdout.splitlines()
    told = [line for line in lines if line.startswith("training ")]
    assert told == ["training    since step 2: the style is flat", "training    stopped early at step 2 of 3"]


def test_the_summary_names_the_time_of_every_stage_that_ran(project: Project) -> None:
    result = project.run("--from", "proof")
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("time ")]
    assert re.fullmatch(r"time        proof \d+\.\d s; \d+\.\d s in all", line)
    assert not any(line.startswith("time ") for line in project.run().stdout.splitlines())


def test_the_summary_names_counts_figures_and_files(built: Project) -> None:
    result = built.run()
    assert result.exit_code == 0
    out = result.stdout
    assert f"{len(EVERYTHING) + 1} wanted, 24 kept from the target, 7 generated" in out
    assert "held out" in out
    assert "truth       IoU" in out
    assert "on 6 characters that the target lacks, 0 missing, 0 blank" in out
    for suffix in ("ttf", "otf", "woff2"):
        assert f"tiny.{suffix}" in out


# what runs again


def test_a_second_run_runs_nothing_and_writes_no_font(built: Project) -> None:
    before = built.ttf.stat().st_mtime_ns
    result = built.run()
    assert result.exit_code == 0
    assert ran(result) == []
    assert result.stderr.splitlines() == [f"{name}: unchanged" for name in STAGE_NAMES]
    assert built.ttf.stat().st_mtime_ns == before


def test_a_moved_project_stands(project: Project) -> None:
    assert ran(project.run()) == []


def test_another_family_name_only_assembles_again(project: Project) -> None:
    project.write(family="Other")
    result = project.run()
    assert result.exit_code == 0, result.output
    assert ran(result) == list(STAGE_NAMES[STAGE_NAMES.index("assemble") :])
    assert TTFont(project.ttf)["name"].getDebugName(1) == "Other"


def test_more_characters_are_drawn_alone_and_fewer_leave(project: Project) -> None:
    images, whole = project.out / "infer", project.ttf.read_bytes()
    project.write(want=EVERYTHING.replace(chr(NEW[1]), "").replace(chr(NEW[4]), ""))
    result = project.run()
    assert result.exit_code == 0, result.output
    assert "pairs" not in ran(result)
    assert "train" not in ran(result)
    assert drawn(result.stderr) == "infer: 0 done"
    left = [c for c in GENERATED if c not in (NEW[1], NEW[4])]
    assert ImageFolder.open(images).codepoints == left
    assert not {NEW[1], NEW[4]} & TTFont(project.ttf).getBestCmap().keys()
    kept = {c: (images / f"U+{c:04X}.png").stat().st_mtime_ns for c in left}

    project.write()
    result = project.run()
    assert result.exit_code == 0, result.output
    assert drawn(result.stderr) == "infer: 2 done"
    assert {c: (images / f"U+{c:04X}.png").stat().st_mtime_ns for c in left} == kept
    assert set(GENERATED) <= TTFont(project.ttf).getBestCmap().keys()
    assert project.ttf.read_bytes() == whole


def test_a_lost_file_is_made_again(project: Project) -> None:
    before = project.ttf.read_bytes()
    project.ttf.unlink()
    (project.out / "source" / "manifest.json").unlink()
    result = project.run()
    assert result.exit_code == 0, result.output
    assert {"source", "assemble"} <= set(ran(result))
    assert "train" not in ran(result)
    assert "a file of it is gone, running" in result.stderr
    assert project.ttf.read_bytes() == before


def test_from_a_stage_runs_it_and_all_after_it(project: Project) -> None:
    before = project.ttf.read_bytes()
    result = project.run("--from", "trace")
    assert result.exit_code == 0, result.output
    assert ran(result) == list(STAGE_NAMES[STAGE_NAMES.index("trace") :])
    assert "trace: asked for, running" in result.stderr
    assert project.ttf.read_bytes() == before


def test_from_a_stage_makes_what_stands_again(project: Project, ink_counter: list[str]) -> None:
    before = project.ttf.read_bytes()
    result = project.run("--from", "train")
    assert result.exit_code == 0, result.output
    assert "going on with the interrupted training" not in result.stderr
    assert "source: 7 done" in result.stderr
    assert drawn(result.stderr) == "infer: 7 done"
    assert len(ink_counter) == 7 + 4  # and the held-out characters
    assert "clean: 7 done" in result.stderr
    assert project.ttf.read_bytes() == before


def test_a_stage_that_is_not_one_is_refused_with_their_names(built: Project) -> None:
    result = built.run("--from", "tracing")
    assert result.exit_code == 2
    assert result.stderr == f"error: unknown stage 'tracing'; the stages are {', '.join(pipeline.STAGE_NAMES)}\n"


def dry(project: Project, *arguments: str) -> dict[str, str]:
    """Stage -> what a dry run says of it, for the stages that would run."""
    result = project.run("--dry-run", *arguments)
    assert result.exit_code == 0, result.output
    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert [name for _, name, _ in lines] == list(STAGE_NAMES)
    return {name: why for mark, name, why in lines if mark == "run"}


BY_GLYPH = ("source", "infer", "clean", "gate", "trace", "assemble")


def test_a_dry_run_says_what_would_run_on_how_many_glyphs_and_runs_nothing(built: Project, tmp_path: Path) -> None:
    fresh = make_project(tmp_path / "fresh")
    expected = {name: "not made yet" + ": 7 of 7 glyphs" * (name in BY_GLYPH) for name in STAGE_NAMES}
    assert dry(fresh) == expected
    assert not fresh.out.exists()
    assert dry(built) == {}
    assert dry(built, "--from", "proof") == {"proof": "asked for"}


def test_a_dry_run_counts_what_the_run_then_does(project: Project) -> None:
    project.write(want=EVERYTHING.replace(chr(NEW[1]), ""))
    assert project.run().exit_code == 0
    project.write()
    planned = dry(project)
    assert "train" not in planned
    assert {name: planned[name] for name in ("source", "infer", "clean", "trace")} == dict.fromkeys(
        ("source", "infer", "clean", "trace"), "its inputs changed: 1 of 7 glyphs"
    )
    result = project.run()
    assert drawn(result.stderr) == "infer: 1 done"
    assert ran(result) == list(planned)
    # a font of another name: no glyph is drawn, repaired or traced
    project.write(family="Other")
    assert dry(project) == {
        "assemble": "its inputs changed: 7 of 7 glyphs",
        **dict.fromkeys(("check", "evaluate", "proof"), "its inputs changed"),
    }
    # another checkpoint draws all
    project.write(train="[train]\nsteps = 2\nbatch_size = 4\nlog_every = 1\n")
    planned = dry(project)
    assert planned["infer"] == "its inputs changed: 7 of 7 glyphs"
    assert "source" not in planned


def test_a_dry_run_counts_what_was_made_by_hand(project: Project) -> None:
    write_ink(project.root / "overrides" / f"U+{NEW[0]:04X}.png", np.full((64, 64), 255, np.uint8))
    project.recipe.write_text(project.recipe.read_text() + '\n[output]\noverrides = "overrides"\n')
    planned = dry(project)
    assert planned["trace"] == "its inputs changed: 1 of 7 glyphs"
    assert "clean" not in planned


def test_the_charset_of_the_command_line_goes_before_the_recipe_s(project: Project) -> None:
    result = project.run("--charset", EVERYTHING.replace(chr(NEW[3]), ""))
    assert result.exit_code == 0, result.output
    assert NEW[3] not in TTFont(project.ttf).getBestCmap()


# the same bytes


def test_two_builds_in_two_folders_are_the_same_bytes(built: Project, tmp_path: Path) -> None:
    other = make_project(tmp_path / "other")
    assert other.run().exit_code == 0
    for suffix in ("ttf", "otf", "woff2"):
        mine, theirs = (project.ttf.with_suffix(f".{suffix}") for project in (built, other))
        assert mine.read_bytes() == theirs.read_bytes()


def test_interrupted_at_the_end_of_every_stage_the_font_is_the_same(
    built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "interrupted")
    finish = StageFolder.finish
    for name in STAGE_NAMES:

        def interrupted(self: StageFolder, *arguments: Any, name: str = name, **named: Any) -> None:
            if self.name == name:
                raise KeyboardInterrupt
            finish(self, *arguments, **named)

        monkeypatch.setattr(StageFolder, "finish", interrupted)
        result = project.run()
        assert result.exit_code == 130, result.output
        assert result.stderr.splitlines()[-1].startswith("stopped; what was finished is kept")
        assert ran(result)[-1] == name
        assert half_written(project.out) == []
    monkeypatch.setattr(StageFolder, "finish", finish)
    result = project.run()
    assert result.exit_code == 0, result.output
    assert ran(result) == [STAGE_NAMES[-1]]
    assert project.ttf.read_bytes() == built.ttf.read_bytes()


def test_interrupted_in_the_middle_of_training_it_goes_on(
    built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "interrupted")
    seen: list[int] = []

    def interrupt_at_2(figures: dict[str, Any]) -> str:
        seen.append(figures["step"])
        if figures["step"] == 2:
            raise KeyboardInterrupt
        return ""

    with monkeypatch.context() as patch:
        patch.setattr(training, "_progress_words", interrupt_at_2)
        assert project.run().exit_code == 130
    assert seen == [1, 2]
    result = project.run()
    assert result.exit_code == 0, result.output
    assert "train: not finished, running" in result.stderr
    assert "going on with the interrupted training" in result.stderr
    steps = [json.loads(line) for line in (project.out / "train" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in steps if "held_out" not in line] == [1, 2, 3]
    assert project.ttf.read_bytes() == built.ttf.read_bytes()


def test_interrupted_in_the_middle_of_inference_only_the_rest_is_drawn(
    project: Project, monkeypatch: pytest.MonkeyPatch, ink_counter: list[str]
) -> None:
    before = project.ttf.read_bytes()
    monkeypatch.setattr("fontgen.workspace._BATCH", 2)
    for name in ("infer", "clean", "trace", "assemble"):
        for file in (project.out / name).glob("*.*"):
            file.unlink()
    count = drawing_stage.written

    def interrupting(folder: Path, images: Any) -> Iterator[int]:
        for codepoint in count(folder, images):
            yield codepoint
            if len(ink_counter) == 5:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(drawing_stage, "written", interrupting)
        assert project.run().exit_code == 130
    assert len(ink_counter) == 5
    ink_counter.clear()
    result = project.run()
    assert result.exit_code == 0, result.output
    # two batches of two were finished; the third began and is drawn anew
    assert drawn(result.stderr) == "infer: 3 done"
    assert ImageFolder.open(project.out / "infer").codepoints == GENERATED
    assert project.ttf.read_bytes() == before


# characters


def test_a_character_in_neither_font_is_named_and_the_rest_is_made(project: Project) -> None:
    project.write(want=EVERYTHING + "\U0002a6d6")
    result = project.run()
    assert result.exit_code == 1
    named = "U+2A6D6: missing in the source fonts and missing in the target"
    assert named in result.stderr
    assert "1 in neither font" in result.stdout
    assert set(GENERATED) <= TTFont(project.ttf).getBestCmap().keys()
    # a second run makes nothing, and says again what is lacking
    result = project.run()
    assert ran(result) == []
    assert named in result.stderr
    assert result.exit_code == 1


def test_blank_and_placeholder_glyphs_of_the_target_are_replaced(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    font = TTFont(project.root / "target.ttf")
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    tables = [table for table in font["cmap"].tables if table.isUnicode()]
    blank = TTGlyphPen(None).glyph()
    order = font.getGlyphOrder()
    for name, codepoint, glyph in (("blank", NEW[0], blank), ("tofu", NEW[1], font["glyf"][".notdef"])):
        font.setGlyphOrder([*order, name])
        order = font.getGlyphOrder()
        font["glyf"].glyphs[name] = glyph
        font["glyf"].glyphOrder = order
        font["hmtx"][name] = (1000, 0)
        if "vmtx" in font:
            font["vmtx"][name] = (1000, 0)
        for table in tables:
            table.cmap[codepoint] = name
    font.save(project.root / "target.ttf")
    result = project.run()
    assert result.exit_code == 0, result.output
    face = open_face(FontRef.of(project.ttf))
    assert set(face.states(GENERATED).values()) == {"ok"}


# other ways to build


def test_fonts_of_formats_no_longer_wanted_do_not_stay(project: Project) -> None:
    recipe = project.recipe.read_text()
    made = project.out / "assemble"
    for font, suffixes in (
        ('formats = ["otf", "ufo"]\nweb = true', {"otf", "ufo", "web"}),
        ('formats = ["ttf"]', {"ttf", "ufo"}),
    ):
        project.recipe.write_text(recipe.replace("[font.names]", f"[font]\n{font}\n\n[font.names]"))
        assert project.run().exit_code == 0
        left = {path.suffix[1:] for path in made.glob("tiny.*") if path.suffix != ".json"}
        assert left | ({"web"} if any(made.glob("web/tiny*")) else set()) == suffixes


def test_hand_work_takes_the_place_of_what_the_network_drew(project: Project) -> None:
    overrides = project.root / "overrides"
    ink = np.zeros((64, 64), np.uint8)
    ink[20:44, 20:44] = 255
    write_ink(overrides / f"U+{NEW[0]:04X}.png", ink)
    (overrides / f"U+{NEW[1]:04X}.svg").write_text((project.out / "trace" / f"U+{NEW[2]:04X}.svg").read_text())
    for name in ("U+E000.svg", f"U+{SHARED[0]:04X}.png", "final version.png", "notes.txt"):
        (overrides / name).write_text("not looked at")
    text = project.recipe.read_text() + '\n[output]\noverrides = "overrides"\n'
    project.recipe.write_text(text)
    result = project.run()
    assert result.exit_code == 0, result.output
    assert "infer" not in ran(result)
    idle = [line.strip() for line in result.stderr.splitlines() if "has no effect" in line]
    assert idle == [
        f"override U+{SHARED[0]:04X}.png has no effect: the target font has it, and keeps it",
        "override U+E000.svg has no effect: [charset] want does not ask for it",
        "override final version.png has no effect: named after no character; name it like U+4E00.png",
    ]
    font = TTFont(project.ttf)
    bounds = open_face(FontRef.of(project.ttf)).bounds_em(NEW[0])
    assert bounds is not None
    assert bounds[2] - bounds[0] == pytest.approx(24 / 64 * 1.125, abs=0.01)
    assert drawing(font, NEW[1]) == drawing(font, NEW[2])


def test_registration_undoes_scale_and_drift_in_the_outlines(project: Project) -> None:
    """The figures of the registration reach the font; hand work stays where it is."""
    before = TTFont(project.ttf)
    recipe = project.recipe.read_text()
    overrides = project.root / "overrides"
    overrides.mkdir()
    by_hand = f"U+{NEW[2]:04X}.svg"
    (overrides / by_hand).write_text((project.out / "trace" / by_hand).read_text())
    project.recipe.write_text(
        f'{recipe}\n[output]\noverrides = "overrides"\n\n[register]\nscale = true\ncorrect_drift = true\n'
    )
    assert project.run().exit_code == 0
    register = project.out / "register"
    found = json.loads((register / "registration.json").read_text())
    assert found["estimate"]["scale"] != 1.0
    assert found["scale"] in (1.0, found["estimate"]["scale"])
    # 0.1 em right and 0.05 em up of their place
    found["put_back"] = {f"U+{c:04X}": [0.1, 0.05] for c in (NEW[1], NEW[2])}
    (register / "registration.json").write_text(json.dumps(found))
    stage = json.loads((register / "stage.json").read_text())
    stage["figures"] |= {"scale": 1.25, "dx_em": 0.0, "dy_em": 0.0}
    (register / "stage.json").write_text(json.dumps(stage))
    result = project.run("--from", "trace")
    assert result.exit_code == 0, result.output
    after = TTFont(project.ttf)
    sides = {c: [box(font, c) for font in (before, after)] for c in NEW[:3]}
    width = {c: (new[2] - new[0]) / (old[2] - old[0]) for c, (old, new) in sides.items()}
    assert width[NEW[0]] == pytest.approx(1 / 1.25, abs=0.02)
    assert width[NEW[1]] == pytest.approx(1 / 1.25, abs=0.02)
    assert width[NEW[2]] == pytest.approx(1, abs=0.02)
    middle = {c: [(new[0] + new[2] - old[0] - old[2]) / 2, (new[1] + new[3] - old[1] - old[3]) / 2]
              for c, (old, new) in sides.items()}  # fmt: skip
    assert abs(middle[NEW[1]][0] - middle[NEW[0]][0] + 100) < 25
    assert abs(middle[NEW[1]][1] - middle[NEW[0]][1] + 50) < 25
    assert middle[NEW[2]] == pytest.approx([0, 0], abs=1)


def box(font: TTFont, codepoint: int) -> tuple[float, ...]:
    """(left, bottom, right, top) of a glyph in font units."""
    pen = BoundsPen(font.getGlyphSet())
    font.getGlyphSet()[font.getBestCmap()[codepoint]].draw(pen)
    return pen.bounds


def test_suspects_stay_out_where_the_recipe_says_so_but_hand_work_never(project: Project) -> None:
    gate = project.out / "gate" / "gate.json"
    report = json.loads(gate.read_text())
    for codepoint in GENERATED:
        report["scores"][codepoint_name(codepoint)]["suspect"] = codepoint in NEW[:3]
    gate.write_text(json.dumps(report))
    overrides = project.root / "overrides"
    overrides.mkdir()
    (overrides / f"U+{NEW[1]:04X}.svg").write_text((project.out / "trace" / f"U+{NEW[4]:04X}.svg").read_text())
    project.recipe.write_text(project.recipe.read_text() + '\n[output]\noverrides = "overrides"\non_suspect = "drop"\n')
    result = project.run()
    assert result.exit_code == 0, result.output
    font = TTFont(project.ttf)
    assert font.getBestCmap().keys() & set(GENERATED) == set(GENERATED) - {NEW[0], NEW[2]}
    assert drawing(font, NEW[1]) == drawing(font, NEW[4])
    assert "3 suspect" in result.stdout
    assert (project.out / "proof" / "suspects.png").exists()


def test_the_source_glyph_goes_in_for_a_suspect(project: Project) -> None:
    gate = project.out / "gate" / "gate.json"
    report = json.loads(gate.read_text())
    for codepoint in GENERATED:
        report["scores"][codepoint_name(codepoint)]["suspect"] = codepoint == NEW[0]
    gate.write_text(json.dumps(report))
    before = TTFont(project.ttf)
    project.recipe.write_text(project.recipe.read_text() + '\n[output]\non_suspect = "source"\n')
    result = project.run()
    assert result.exit_code == 0, result.output
    assert f"the source glyph for the suspect {codepoint_name(NEW[0])}" in result.stderr
    font = TTFont(project.ttf)
    assert drawing(font, NEW[1]) == drawing(before, NEW[1])
    assert drawing(font, NEW[0]) != drawing(before, NEW[0])
    source = ImageFolder.open(project.out / "source")
    drawn = render_ink(open_face(FontRef.of(project.ttf)), NEW[0], source.canvas) >= 128
    ink = source.read(NEW[0]) >= 128
    assert (drawn & ink).sum() > 0.9 * (drawn | ink).sum()
    assert project.run("--strict").exit_code == 1


def test_a_checkpoint_of_another_build_serves_without_training(built: Project, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    (checkpoint,) = (built.out / "train").glob("best.safetensors")
    project.recipe.write_text(project.recipe.read_text() + f'\n[infer]\ncheckpoint = "{checkpoint}"\n')
    result = project.run()
    assert result.exit_code == 0, result.output
    assert "train" not in ran(result)
    drawn_here, drawn_there = (ImageFolder.open(p.out / "infer") for p in (project, built))
    for codepoint in GENERATED:
        np.testing.assert_array_equal(drawn_here.read(codepoint), drawn_there.read(codepoint))


def test_scans_are_extended_to_a_font_of_their_own(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    face = open_face(FontRef.of(ZEN))
    for codepoint in SHARED:
        write_ink(
            project.root / "scans" / f"{codepoint}.png", render_ink(face, codepoint, Canvas(size_px=96, margin_em=0))
        )
    project.write(target='[target]\nimages = "scans"\n')
    result = project.run()
    assert result.exit_code == 0, result.output
    made = open_face(FontRef.of(project.ttf))
    assert set(made.states([*SHARED, *GENERATED]).values()) == {"ok"}
    canvas = Canvas(size_px=64)
    for codepoint in SHARED[:6]:
        a, b = (render_ink(f, codepoint, canvas) / 255 for f in (made, face))
        assert np.minimum(a, b).sum() / np.maximum(a, b).sum() > 0.85


def test_zi2zi_s_auto_fit_is_undone(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    flat = 0x4E00
    box_font(project.root / "extra.ttf", {flat: [(100, 330, 900, 430)], BEYOND: [(300, 0, 500, 200)]})
    project.write(
        want=EVERYTHING + chr(flat),
        canvas='[zi2zi]\ncanvas_size = 64\nchar_size = 56\ndst_x_offset = 4\ndst_y_offset = 4\nfit = "box"\n',
    )
    result = project.run()
    assert result.exit_code == 0, result.output
    made, source = open_face(FontRef.of(project.ttf)), open_face(FontRef.of(project.root / "source.ttf"))
    for codepoint in NEW:
        np.testing.assert_allclose(made.bounds_em(codepoint), source.bounds_em(codepoint), atol=0.1)
    bounds = made.bounds_em(BEYOND)
    assert bounds is not None
    assert bounds[3] - bounds[1] < 0.4  # on the canvas it filled the em box
