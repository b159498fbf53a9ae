"""Checkpoints of zi2zi-pytorch: what they say about themselves, and that their imports draw the same."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from box_fonts import NOTO, ZEN, kanji_of
from click.testing import CliRunner, Result
from tiny_build import NEW, make_project
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from zi2zi_pytorch import PatchGan, UNet, trained

from fontgen.cli import main
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.store import ImageFolder
from fontgen.zi2zi.checkpoint import load_generator
from fontgen.zi2zi.header import read_header

VARIANTS: list[dict[str, Any]] = [
    {"norm": norm, "pixelshuffle": shuffle, "residual": residual}
    for norm in ("instance", "batch")
    for shuffle in (True, False)
    for residual in (True, False)
]
MORE: list[dict[str, Any]] = [
    {"attention": (2,)},
    {"attention": (1, 2, 4), "norm": "batch"},
    {"attention": (3,), "pixelshuffle": False, "residual": False},
    {"attention": (4, 5), "way": "both", "downs": 6},
    {"attention": (4, 5), "way": "both", "downs": 6, "norm": "batch", "pixelshuffle": False},
    {"attention": (2, 3), "way": "up", "downs": 5},
    {"ngf": 16, "downs": 4, "styles": 1, "style_dim": 3},
    {"styles": 40, "style_dim": 128, "downs": 6},
    {"images": 3, "pixelshuffle": False, "residual": False, "norm": "batch"},
    {"images": 3},
]


def fontgen(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments: str | Path) -> str:
    result = fontgen(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def saved(path: Path, network: nn.Module) -> Path:
    torch.save(network.state_dict(), path)
    return path


def imported(path: Path, *options: str | Path) -> Path:
    out = path.with_suffix(".safetensors")
    result = fontgen("import-checkpoint", path, "-o", out, *options)
    assert result.exit_code == 0, result.output
    return out


def assert_draws_the_same(out: Path, reference: UNet, images: int = 1) -> None:
    generator, header = load_generator(out, "cpu")
    torch.manual_seed(3)
    source = torch.rand(2, 1, header.canvas.size_px, header.canvas.size_px) * 2 - 1
    styles = torch.tensor([0, header.network.embedding_num - 1])
    with torch.inference_mode():
        ours = generator(source, styles)
        theirs = reference(source.expand(-1, images, -1, -1).clone(), styles).mean(1, keepdim=True)
    assert ours.std() > 0.05, "a picture, not a plain"
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("variant", [*VARIANTS, *MORE], ids=str)
def test_the_import_draws_what_the_original_draws(variant: dict[str, Any], tmp_path: Path) -> None:
    reference = trained(UNet(**variant))
    out = imported(saved(tmp_path / "12_net_G.pth", reference), "--size", "64")
    assert_draws_the_same(out, reference, variant.get("images", 1))
    header = read_header(out)
    assert header.step == 12
    assert header.metadata["imported"] == {"from": "zi2zi-pytorch", "file": "12_net_G.pth"}


@pytest.mark.parametrize(("way", "option"), [("down", "down"), ("both", "both")], ids=str)
@pytest.mark.parametrize("levels", [(4,), (4, 5)], ids=str)
def test_attention_that_the_weights_leave_open(levels: tuple[int, ...], way: str, option: str, tmp_path: Path) -> None:
    reference = trained(UNet(attention=levels, way=way, downs=6))
    path = saved(tmp_path / "g.pth", reference)
    assert_draws_the_same(imported(path, "--size", "64", "--attention", option), reference)
    assert "whether attention applies on the way down only or on the way up as well" in fontgen("inspect", path).stdout


@pytest.mark.parametrize("normalise", [nn.utils.spectral_norm, parametrizations.spectral_norm], ids=["old", "new"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_spectral_norm_is_divided_out(normalise: Any, shuffle: bool, tmp_path: Path) -> None:
    reference = UNet(pixelshuffle=shuffle, attention=(2,))
    for module in list(reference.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            normalise(module)
    for _ in range(2):
        reference(torch.randn(2, 1, 64, 64), torch.tensor([0, 1]))
    reference.eval()
    path = saved(tmp_path / "g.pth", reference)
    described = json_of(path, tmp_path)
    assert described["spectral_norm"] is True
    assert described["parameters"] == sum(p.numel() for p in UNet(pixelshuffle=shuffle, attention=(2,)).parameters())
    generator, _ = load_generator(imported(path, "--size", "64"), "cpu")
    source = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        theirs = reference(source.clone(), torch.tensor([1]))
        torch.testing.assert_close(generator(source, torch.tensor([1])), theirs, atol=1e-4, rtol=0)


def test_without_a_norm(tmp_path: Path) -> None:
    reference = trained(UNet())
    for module in list(reference.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.InstanceNorm2d):
                setattr(module, name, nn.Identity())
    path = saved(tmp_path / "g.pth", reference)
    assert_draws_the_same(imported(path, "--size", "64", "--norm", "none"), reference)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {"state_dict": state, "epoch": 7},
        lambda state: {"model": {f"_orig_mod.module.{name}": tensor for name, tensor in state.items()}},
        lambda state: {name: tensor.half() for name, tensor in state.items()},
    ],
    ids=["module", "state_dict", "compiled", "half"],
)
def test_wrapped_weights(wrap: Any, tmp_path: Path) -> None:
    reference = trained(UNet())
    state = wrap(reference.state_dict())
    torch.save(state, tmp_path / "g.pth")
    out = imported(tmp_path / "g.pth", "--size", "64")
    if any(isinstance(value, Tensor) and value.dtype == torch.float16 for value in state.values()):
        reference.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    assert_draws_the_same(out, reference)


def test_a_file_from_before_torch_1_6(tmp_path: Path) -> None:
    reference = trained(UNet())
    torch.save(reference.state_dict(), tmp_path / "g.pth", _use_new_zipfile_serialization=False)
    assert_draws_the_same(imported(tmp_path / "g.pth", "--size", "64"), reference)


# inspect


def json_of(path: Path, folder: Path) -> dict[str, Any]:
    result = fontgen("inspect", path, "--json", folder / "out.json")
    assert result.exit_code == 0, result.output
    described: dict[str, Any] = json.loads((folder / "out.json").read_text())
    return described


@pytest.mark.parametrize("variant", [*VARIANTS, *MORE], ids=str)
def test_inspect_reads_the_network_off_its_weights(variant: dict[str, Any], tmp_path: Path) -> None:
    network = UNet(**variant)
    described = json_of(saved(tmp_path / "7_net_G.pth", network), tmp_path)
    ngf, downs = variant.get("ngf", 8), variant.get("downs", 5)
    expected = {
        "format": "zi2zi-pytorch",
        "network": "generator",
        "parameters": sum(p.numel() for p in network.parameters()),
        "ngf": ngf,
        "num_downs": downs,
        "channels": [min(ngf << level, 8 * ngf) for level in range(downs)],
        "image_channels": variant.get("images", 1),
        "residual_skips": variant.get("residual", True),
        "upsampling": "pixelshuffle" if variant.get("pixelshuffle", True) else "transposed",
        "norm": "batch" if variant.get("norm") == "batch" else "none or instance",
        "spectral_norm": False,
        "embedding_num": variant.get("styles", 5),
        "embedding_dim": variant.get("style_dim", 6),
        "possible_sizes_px": [size for size in (128, 256, 384, 512) if size % 2**downs == 0],
        "step_by_file_name": 7,
    }
    assert {key: described[key] for key in expected} == expected
    assert [each["level"] for each in described["attention"]] == list(variant.get("attention", ()))
    if variant.get("way") == "up":
        assert {each["place"] for each in described["attention"] if each["level"] == 2} == {"up"}
    norm_is_open = any("InstanceNorm or no norm" in line for line in described["unknown"])
    assert norm_is_open == (described["norm"] != "batch")


def test_inspect_in_words(tmp_path: Path) -> None:
    path = saved(tmp_path / "300_net_G.pth", UNet(downs=7, attention=(2, 3)))
    lines = fontgen("inspect", path).stdout.splitlines()
    assert lines[0] == "checkpoint:     zi2zi-pytorch, generator, step 300 by its name"
    assert "canvas:         128 or 256 or 384 or 512 px" in lines
    assert "residual skips: yes" in lines
    assert "levels:         7 (8, 16, 32, 64, 64, 64, 64 channels)" in lines
    (attention,) = [line for line in lines if line.startswith("attention:")]
    assert "level 3 down (32 channels; 16 px at 128, 32 px at 256, 48 px at 384, 64 px at 512)" in attention
    assert "level 4 down" in attention
    assert any(line.startswith("cannot tell:    the canvas size: any multiple of 128 px fits") for line in lines)
    out = imported(path)
    assert read_header(out).canvas.size_px == 384, "the size that goes with 7 levels there"
    words = fontgen("inspect", out).stdout
    assert "residual skips: yes" in words
    assert "attention:      24, 48 px down" in words
    assert "imported:       300_net_G.pth of zi2zi-pytorch" in words


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize(("kernel", "size_px"), [(5, 64), (5, 128), (4, 128)])
def test_inspect_of_a_discriminator(norm: str, spectral: bool, kernel: int, size_px: int, tmp_path: Path) -> None:
    network = PatchGan(size_px=size_px, norm=norm, kernel=kernel, images=3)
    parameters = sum(p.numel() for p in network.parameters())
    if spectral:
        for module in list(network.modules()):
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.utils.spectral_norm(module)
    path = saved(tmp_path / "7_net_D.pth", network)
    described = json_of(path, tmp_path)
    expected = {
        "network": "discriminator",
        "parameters": parameters,
        "ndf": 8,
        "channels": [8, 16, 32, 64, 1],
        "kernel": kernel,
        "image_channels": 3,
        "size_px": size_px,
        "norm": "batch" if norm == "batch" else "none or instance",
        "spectral_norm": spectral,
        "embedding_num": 5,
    }
    assert {key: described[key] for key in expected} == expected
    assert f"canvas:         {size_px} px" in fontgen("inspect", path).stdout
    line = refused("import-checkpoint", path, "-o", tmp_path / "d.safetensors")
    assert line.endswith("a discriminator, which draws nothing; import the *_net_G.pth beside it "
                         "(training makes a new one)")  # fmt: skip
    assert not (tmp_path / "d.safetensors").exists()


# the geometry, and inference


def test_offsets_become_canvas_and_placement(tmp_path: Path) -> None:
    path = saved(tmp_path / "g.pth", trained(UNet()))
    options = ("--size", "64", "--char-size", "48", "--source", NOTO, "--target", ZEN)
    out = imported(path, *options, "--src-offset", "2", "-3", "--dst-offset", "8", "5", "--style", "Hana")
    header = read_header(out)
    source, target = (open_face(FontRef.of(font)).ascender_em for font in (NOTO, ZEN))
    column, row = header.canvas.em_to_px @ [0.0, target, 1.0]
    assert (column, row) == (pytest.approx(8), pytest.approx(5)), "the target's ascender line and origin"
    placement = header.metadata["placements"]["4"]
    column, row = header.canvas.em_to_px @ [placement["dx_em"], source + placement["dy_em"], 1.0]
    assert (column, row) == (pytest.approx(2), pytest.approx(-3)), "the source's"
    assert header.styles == ["Hana", "style 1", "style 2", "style 3", "style 4"]


def test_without_geometry_the_em_box_fills_the_canvas(tmp_path: Path) -> None:
    path = saved(tmp_path / "g.pth", trained(UNet()))
    result = fontgen("import-checkpoint", path, "-o", tmp_path / "g.safetensors", "--size", "64")
    assert [line.split(" ", 1)[0] for line in result.stderr.splitlines()] == ["assumed:"] * 3
    assert "64 px an em (--char-size)" in result.stderr
    canvas = read_header(tmp_path / "g.safetensors").canvas
    assert (canvas.px_per_em, canvas.margin_em, canvas.descender_em) == (64, 0, -0.12)
    assert (canvas.shift_x_em, canvas.shift_y_em) == (0, pytest.approx(0))


@pytest.mark.parametrize("fit", ["em", "box"])
def test_infer_draws_with_an_import(fit: str, tmp_path: Path) -> None:
    two = kanji_of(NOTO)[:2]
    out = imported(saved(tmp_path / "g.pth", trained(UNet(norm="batch"))), "--size", "64", "--fit", fit)
    arguments = (
        "--checkpoint",
        out,
        "--source",
        NOTO,
        "--charset",
        "".join(map(chr, two)),
        "--style",
        "3",
        "--device",
        "cpu",
    )
    result = fontgen("infer", *arguments, "-o", tmp_path / "drawn")
    assert result.exit_code == 0, result.output
    folder = ImageFolder.open(tmp_path / "drawn")
    assert folder.codepoints == two
    assert folder.canvas == read_header(out).canvas
    assert all(("fit" in record) == (fit == "box") for record in folder.glyphs.values())
    assert folder.read(two[0]).std() > 10


def test_a_recipe_infers_with_an_import(tmp_path: Path) -> None:
    out = imported(saved(tmp_path / "g.pth", trained(UNet())), "--size", "64", "--char-size", "56")
    project = make_project(tmp_path / "project")
    more = f'\n[infer]\ncheckpoint = "{out}"\n\n[output]\nfolder = "out"\n'
    project.recipe.write_text(project.recipe.read_text() + more)
    result = fontgen("infer", project.recipe)
    assert result.exit_code == 0, result.output
    assert not (project.out / "train").exists()
    folder = ImageFolder.open(project.out / "infer")
    assert set(NEW) <= set(folder.codepoints)
    assert folder.canvas == read_header(out).canvas


# bad input


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.pth", UNet()).read_bytes()
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "tail.pth").write_bytes(whole[:-30])
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.pth").write_text("no checkpoint at all")
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "other.pth")
    torch.save({"epoch": 3}, tmp_path / "nothing.pth")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    messages = {
        "zip": "a zip file that is no checkpoint",
        "cut": "damaged, cut short or not a checkpoint",
        "tail": "damaged, cut short or not a checkpoint",
        "empty": "damaged, cut short or not a checkpoint",
        "text": "damaged, cut short or not a checkpoint",
        "other": "not a network of zi2zi-pytorch that fontgen knows (it has conv.weight)",
        "nothing": "holds no weights by name",
        "tensor": "holds no weights by name",
        "absent": "no such checkpoint",
    }
    for name, message in messages.items():
        path = tmp_path / f"{name}.pth"
        for line in (refused("inspect", path), refused("import-checkpoint", path, "-o", tmp_path / "out.safetensors")):
            assert line.startswith(f"error: {path}: "), line
            assert message in line
    assert not (tmp_path / "out.safetensors").exists()
    (tmp_path / "whole.safetensors").write_bytes(whole)
    assert fontgen("inspect", tmp_path / "whole.safetensors").exit_code == 0, "by its content, not by its name"
    line = refused("infer", "--checkpoint", tmp_path / "whole.pth", "--source", NOTO, "--charset", "一", "-o", tmp_path)
    assert "a file of torch.save, not a checkpoint of fontgen" in line
    assert "fontgen import-checkpoint FILE" in line


class _Malice:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("new_format", [True, False])
def test_code_in_a_file_is_never_run(new_format: bool, tmp_path: Path) -> None:
    trace, path = tmp_path / "was-run", tmp_path / "g.pth"
    torch.save({**UNet().state_dict(), "x": _Malice(trace)}, path, _use_new_zipfile_serialization=new_format)
    for arguments in (["inspect", path], ["import-checkpoint", path, "-o", tmp_path / "o.safetensors"]):
        line = refused(*arguments)  # type: ignore[arg-type]
        assert line.startswith(f"error: {path}: holds more than tensors (posix.system)"), line
        assert "fontgen runs no code from a file" in line
    assert not trace.exists()
    torch.save(UNet(), path, _use_new_zipfile_serialization=new_format)
    assert "holds more than tensors (zi2zi_pytorch.UNet)" in refused("inspect", path)


def _with(change: dict[str, Tensor | None]) -> dict[str, Tensor]:
    state = {**UNet(norm="batch").state_dict(), **change}
    return {name: tensor for name, tensor in state.items() if tensor is not None}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (_with({"model.extra.weight": torch.zeros(1)}), "layers that fontgen does not know (model.extra.weight)"),
        (_with({"model.down.0.weight": None}), "not a network of zi2zi-pytorch"),
        (_with({"model.down.0.weight": torch.zeros(4, 1, 4, 4)}), "whose layers do not fit together"),
        (_with({"model.up.1.weight": torch.zeros(4)}), "not a network of zi2zi-pytorch"),
        (_with({"model.submodule.down.2.bias": None}), "lacks model.submodule.down.2.bias"),
        (
            {name: tensor for name, tensor in _with({}).items() if "running" not in name},
            "norm layers (affine) are none that zi2zi-pytorch was published with",
        ),
    ],
    ids=["extra", "missing", "width", "shape", "norm", "affine"],
)
def test_generators_that_cannot_be_imported(state: dict[str, Tensor], message: str, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "g.pth")
    line = refused("import-checkpoint", tmp_path / "g.pth", "-o", tmp_path / "o.safetensors", "--size", "64")
    assert message in line
    assert not (tmp_path / "o.safetensors").exists()


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    path, out = saved(tmp_path / "g.pth", UNet(downs=7)), tmp_path / "o.safetensors"
    line = refused("import-checkpoint", path, "-o", out, "--size", "64")
    assert "canvas of 64 px and num_downs 7 do not go together" in line
    assert "(--size: 128, 256, 384, 512)" in line
    line = refused("import-checkpoint", path, "-o", out, "--dst-offset", "0", "-109")
    assert "y offset of the target counts from the font's ascender" in line
    line = refused("import-checkpoint", path, "-o", out, *(f"--style={number}" for number in range(6)))
    assert "6 style names, but it has room for 5 styles" in line
    deep = saved(tmp_path / "deep.pth", UNet(ngf=8, downs=10))
    line = refused("import-checkpoint", deep, "-o", out)
    assert "give the canvas with --size, a multiple of 1024 px" in line
    assert not out.exists()
