"""LPIPS and FID: against torchmetrics itself, with random weights made here."""

import json
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from click.testing import CliRunner
from safetensors.torch import save_file

from fontgen.canvas import Canvas
from fontgen.cli import main
from fontgen.errors import CheckpointError
from fontgen.fonts.evaluate import evaluate_fonts
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import render_ink
from fontgen.zi2zi.image_metrics import ImageMetrics, open_image_metrics
from fontgen.zi2zi.weight_files import ALEXNET, INCEPTION_V3, hub_cache

pytest.importorskip("torchmetrics")

FIXTURES = Path(__file__).parents[1] / "fixtures"
SOURCE = FIXTURES / "noto-sans-jp-bold.ttf"
TRUTH = FIXTURES / "zen-maru-gothic-bold-truth.ttf"
FEW = sorted(open_face(FontRef.of(TRUTH)).cmap.keys() & open_face(FontRef.of(SOURCE)).cmap.keys())[-8:]
SMALL = Canvas(size_px=64)
SQUEEZENET = "squeezenet1_1-b8a52dc0.pth"

pytestmark = [
    pytest.mark.usefixtures("no_network", "own_cache"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Metric `FrechetInceptionDistance` will save all:UserWarning"),
]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    hub_cache().mkdir(parents=True)


@pytest.fixture(scope="module")
def squeeze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "squeeze.pth"
    torch.save(torchvision.models.squeezenet1_1(weights=None, num_classes=1000).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = module.FeatureExtractorInceptionV3("inception-v3-compat", ["64"])
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path


def images(font: Path, canvas: Canvas = SMALL) -> torch.Tensor:
    """(N, 3, H, W) uint8, dark on light."""
    face = open_face(FontRef.of(font))
    ink = np.stack([render_ink(face, codepoint, canvas) for codepoint in FEW])
    return torch.from_numpy(255 - ink)[:, None].repeat(1, 3, 1, 1)


def test_lpips_is_torchmetrics_own(squeeze: Path) -> None:
    from torchmetrics.functional.image.lpips import learned_perceptual_image_patch_similarity

    torch.save(torch.load(squeeze, weights_only=True), hub_cache() / SQUEEZENET)  # where torchmetrics looks
    expected = learned_perceptual_image_patch_similarity(
        images(SOURCE) / 255, images(TRUTH) / 255, "squeeze", reduction="none", normalize=True
    )
    report = evaluate_fonts(SOURCE, TRUTH, FEW, canvas=SMALL, metrics=ImageMetrics(squeeze, None))
    found = [report.font.glyphs[codepoint].lpips for codepoint in FEW]
    assert found == pytest.approx(expected.tolist(), rel=1e-4)
    assert min(found) > 0
    assert report.font.means()["lpips"] == pytest.approx(float(expected.mean()), rel=1e-4)
    assert "fid" not in report.font.means()
    assert report.to_json()["protocol"]["lpips"] == {"network": "squeeze", "weights": "squeeze.pth"}


def test_fid_is_torchmetrics_own(inception: Path) -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    direct = FrechetInceptionDistance(feature=64, feature_extractor_weights_path=str(inception))
    direct.update(images(TRUTH), real=True)
    direct.update(images(SOURCE), real=False)
    metrics = ImageMetrics(None, inception, fid_features=64)
    report = evaluate_fonts(SOURCE, TRUTH, FEW, canvas=SMALL, metrics=metrics, baseline=TRUTH)
    assert report.font.fid == pytest.approx(float(direct.compute()), rel=1e-3)
    assert report.font.fid > 0
    assert report.baseline is not None
    assert report.baseline.fid == pytest.approx(0, abs=1e-3 * report.font.fid)
    assert report.difference()["fid"] == pytest.approx(report.font.fid, rel=1e-2)
    assert all(figures.lpips is None for figures in report.font.glyphs.values())
    assert report.to_json()["protocol"]["fid"] == {"features": 64, "weights": "inception.pth"}


def test_equal_fonts_have_no_distance(squeeze: Path, inception: Path) -> None:
    metrics = ImageMetrics(squeeze, inception, fid_features=64)
    report = evaluate_fonts(TRUTH, TRUTH, FEW, canvas=SMALL, metrics=metrics)
    assert report.font.means()["lpips"] == pytest.approx(0, abs=1e-6)
    assert report.font.fid == pytest.approx(0, abs=1e-4)
    alone = evaluate_fonts(TRUTH, TRUTH, FEW[:1], canvas=SMALL, metrics=ImageMetrics(None, inception, fid_features=64))
    assert alone.font.fid is None, "one image has no covariance"


def test_alexnet_is_filled_from_its_convolutions_alone(tmp_path: Path) -> None:
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in torchvision.models.alexnet().features.state_dict().items()}
    save_file(
        {f"features.{name}": torch.full(shape, 0.01) for name, shape in shapes.items()}, tmp_path / "a.safetensors"
    )
    metrics = ImageMetrics(tmp_path / "a.safetensors", None)
    assert metrics.protocol["lpips"]["network"] == "alex"
    assert all(bool((tensor == 0.01).all()) for tensor in metrics.lpips.net.state_dict().values())


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["evaluate", str(TRUTH), "--truth", str(TRUTH), *map(str, arguments)])
    return result.exit_code, result.output


def test_absent_weights_are_left_out_with_a_line_that_says_where_they_were_looked_for(tmp_path: Path) -> None:
    charset = tmp_path / "few.txt"
    charset.write_text("".join(map(chr, FEW[:3])), "utf-8")
    status, output = run("--charset", f"@{charset}", "--json", tmp_path / "e.json")
    assert status == 0, output
    for metric, name in (("LPIPS", ALEXNET), ("FID", INCEPTION_V3)):
        [line] = [line for line in output.splitlines() if line.startswith(metric)]
        assert line.startswith(f"{metric} left out: there is no {name} in {hub_cache()}; ")
    written = json.loads((tmp_path / "e.json").read_text())
    assert len(written["left_out"]) == 2
    assert "fid" not in written["font"]["means"]


def test_weights_in_the_cache_are_found(tmp_path: Path, squeeze: Path) -> None:
    hub_cache().joinpath(ALEXNET).write_bytes(squeeze.read_bytes())
    metrics = open_image_metrics(None, None)
    assert metrics.lpips is not None
    assert [line.split()[0] for line in metrics.left_out] == ["FID"]


class Sneaky:
    """What unpickling must never run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('pickled code was run')",)


@pytest.mark.parametrize("option", ["lpips", "fid"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file of weights"),
        (b"not a file of tensors", "damaged, or no file of tensors"),
        (Sneaky(), "damaged, or no file of tensors"),
        ({"features.3.squeeze.weight": torch.zeros(16, 64, 1, 1)}, "not the weights that"),
        ({"other": torch.zeros(1)}, "not the weights"),
    ],
)
def test_weights_that_are_named_must_be_right(tmp_path: Path, option: str, content: object, message: str) -> None:
    path = tmp_path / "named.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    given = {"lpips": None, "fid": None} | {option: path}
    with pytest.raises(CheckpointError, match=message) as caught:
        open_image_metrics(**given)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, squeeze: Path) -> None:
    monkeypatch.setattr("fontgen.zi2zi.image_metrics.find_spec", lambda name: None if name == "torchmetrics" else 1)
    hub_cache().joinpath(ALEXNET).write_bytes(squeeze.read_bytes())
    assert open_image_metrics(None, None).left_out[0] == (
        'LPIPS left out: it needs torchmetrics; pip install "fontgen[metrics]"'
    )
    with pytest.raises(CheckpointError, match="LPIPS: it needs torchmetrics"):
        open_image_metrics(squeeze, None)
