"""The set-up script, the Makefile and the CI entry, run with stand-ins for Python, pip and apt."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What the script may use besides the programs a test puts in its way.
TOOLS = ("awk", "cat", "cksum", "cp", "cut", "df", "dirname", "grep", "head", "mkdir", "mktemp", "rm", "sed", "touch")

# An interpreter that answers what set-up asks and writes down what pip is told. Switches are files in
# $STATE: old (too old), no-venv (Debian without python3-venv), no-build (pypotrace fails), no-network.
PYTHON = """#!/bin/sh
case "$*" in
    *"(3, 11)"*) [ ! -e "$STATE/old" ] ;;
    *version_info*) echo 3.12 ;;
    *"import ensurepip"*) [ ! -e "$STATE/no-venv" ] ;;
    *sysconfig*) echo "$STATE/include" ;;
    "-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && echo venv >>"$STATE/log" ;;
    *"import potrace"*) [ -e "$STATE/has-pypotrace" ] ;;
    "-m pip --version") ;;
    "-m pip show"*potracer) [ -e "$STATE/has-potracer" ] ;;
    "-m pip"*)
        echo "$*" | sed 's/^-m //; s/ --quiet//; s/ --disable-[a-z-]*//; s/ --no-[ci][a-z]*//g' >>"$STATE/log"
        case "$*" in
            *" pypotrace>"*)
                if [ -e "$STATE/no-build" ]; then echo "error: potracelib.h is missing"; exit 1; fi
                touch "$STATE/has-pypotrace" ;;
            *"install "*" potracer"*) touch "$STATE/has-potracer" ;;
            *" -r "*) cp "${*##* }" "$STATE/requirements" ;;
            *) [ ! -e "$STATE/no-network" ] ;;
        esac ;;
    "-c ") ;;
    "-") exec "$REAL_PYTHON" - ;;
    *) echo "Python 3.12.0" ;;
esac
"""


class Machine:
    """A checkout of its own and a PATH that holds nothing but what the test puts there."""

    def __init__(self, root: Path) -> None:
        self.checkout, self.bin, self.state = root / "checkout", root / "bin", root / "state"
        for folder in (self.checkout / "scripts", self.bin, self.state):
            folder.mkdir(parents=True)
        shutil.copy(ROOT / "pyproject.toml", self.checkout)
        shutil.copy(ROOT / "scripts" / "setup.sh", self.checkout / "scripts")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)
        self.program("id", "#!/bin/sh\necho 1000\n")

    def program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def switch(self, name: str) -> None:
        (self.state / name).touch()

    def setup(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "scripts/setup.sh"],
            cwd=self.checkout,
            env={
                "PATH": str(self.bin),
                "STATE": str(self.state),
                "REAL_PYTHON": sys.executable,
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def log(self) -> list[str]:
        """What was done since the log was last read."""
        path = self.state / "log"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_fresh_machine_gets_everything_in_order_and_the_second_run_does_nothing(machine: Machine) -> None:
    machine.program("python3.12", PYTHON)
    first = machine.setup()
    assert first.returncode == 0, first.stderr
    assert machine.log == ["venv", "pip install pypotrace>=0.3", "pip install -e .[dev]"]
    assert "done: Python 3.12.0" in first.stdout
    second = machine.setup()
    assert (second.returncode, second.stdout, second.stderr, machine.log) == (0, "", "", [])


def test_torch_and_torchvision_come_in_one_call_without_pins() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert {d for d in dependencies if d.startswith("torch")} == {"torch>=2.11", "torchvision>=0.26"}


def test_changed_requirements_or_a_moved_checkout_are_installed_again(machine: Machine, tmp_path: Path) -> None:
    machine.program("python3.12", PYTHON)
    machine.setup()
    assert machine.log
    with (machine.checkout / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert machine.setup().returncode == 0
    assert machine.log == ["pip install -e .[dev]"]
    machine.checkout = machine.checkout.rename(tmp_path / "moved")
    assert machine.setup().returncode == 0
    assert machine.log == ["pip install -e .[dev]"]


def test_an_interpreter_that_does_not_run_is_passed_over(machine: Machine) -> None:
    machine.program("python3.13", "#!/bin/sh\necho 'shim: command not found' >&2\nexit 127\n")
    machine.program("python3", PYTHON)
    assert machine.setup().returncode == 0
    assert machine.log[0] == "venv"


@pytest.mark.parametrize("switch", ["none", "old"])
def test_without_a_suitable_python_the_message_names_the_cure(machine: Machine, switch: str) -> None:
    if switch == "old":
        machine.switch("old")
        machine.program("python3", PYTHON)
    result = machine.setup()
    assert result.returncode == 1
    assert result.stderr.startswith("setup: no Python 3.11 or newer found; install one (apt install python3")
    assert len(result.stderr.splitlines()) == 1


def test_a_chosen_interpreter_is_used_or_refused(machine: Machine, tmp_path: Path) -> None:
    machine.program("python3.12", "#!/bin/sh\nexit 1\n")
    chosen = tmp_path / "my python"
    chosen.write_text(PYTHON, encoding="utf-8")
    chosen.chmod(0o755)
    assert machine.setup(FONTGEN_PYTHON=str(chosen)).returncode == 0
    refused = Machine(tmp_path / "second").setup(FONTGEN_PYTHON="/nowhere/python")
    assert refused.returncode == 1
    assert "FONTGEN_PYTHON=/nowhere/python does not run" in refused.stderr


def test_apt_installs_the_libraries_for_root_alone(machine: Machine) -> None:
    machine.program("python3.12", PYTHON)
    machine.program("apt-get", '#!/bin/sh\necho "apt-get $*" >>"$STATE/log"\n')
    machine.program("env", '#!/bin/sh\nshift\nexec "$@"\n')
    machine.program("id", "#!/bin/sh\necho 0\n")
    assert machine.setup().returncode == 0
    libraries = "g++ pkg-config libpotrace-dev libagg-dev python3.12-dev"
    assert machine.log[1:3] == [
        "apt-get -qq update",
        f"apt-get -qq install -y --no-install-recommends {libraries}",
    ]


def test_chromium_is_installed_where_there_is_no_browser(machine: Machine) -> None:
    machine.program("python3.12", PYTHON)
    machine.program("apt-get", '#!/bin/sh\necho "apt-get $*" >>"$STATE/log"\n')
    machine.program("env", '#!/bin/sh\nshift\nexec "$@"\n')
    machine.program("id", "#!/bin/sh\necho 0\n")
    assert machine.setup().returncode == 0
    assert "apt-get -qq install -y --no-install-recommends chromium" in machine.log
    (machine.checkout / ".venv" / "fontgen-setup").unlink()
    machine.program("google-chrome", "#!/bin/sh\n")
    assert machine.setup().returncode == 0
    assert not any("chromium" in line for line in machine.log)


def test_without_a_browser_and_without_apt_the_set_up_goes_on_and_says_so(machine: Machine) -> None:
    machine.program("python3.12", PYTHON)
    result = machine.setup()
    assert result.returncode == 0
    assert "NOTICE: no Chromium here, which only 'make test' needs" in result.stdout


def test_without_apt_the_commands_for_three_systems_are_named(machine: Machine) -> None:
    machine.program("python3.12", PYTHON)
    machine.program("apt-get", '#!/bin/sh\necho "apt-get $*" >>"$STATE/log"\n')  # there, but without root
    output = machine.setup().stdout
    assert "apt:  sudo apt install g++ pkg-config libpotrace-dev libagg-dev python3.12-dev" in output
    assert "dnf:  sudo dnf install gcc-c++" in output
    assert "brew: brew install" in output
    assert not any(line.startswith("apt-get") for line in machine.log)


def test_debian_without_venv_is_told_what_to_install(machine: Machine) -> None:
    machine.switch("no-venv")
    machine.program("python3", PYTHON)
    result = machine.setup()
    assert result.returncode == 1
    assert "apt install python3.12-venv" in result.stderr


def test_where_pypotrace_cannot_be_built_potracer_takes_its_place(machine: Machine) -> None:
    machine.switch("no-build")
    machine.program("python3.12", PYTHON)
    result = machine.setup()
    assert result.returncode == 0, result.stderr
    log = machine.log
    assert log[1:4] == ["pip install pypotrace>=0.3", "pip uninstall --yes pypotrace", "pip install potracer"]
    assert log[-1] == "pip install --no-deps -e ."
    requirements = (machine.state / "requirements").read_text(encoding="utf-8").split()
    assert not any(name.startswith("pypotrace") for name in requirements)
    assert {"torch>=2.11", "torchvision>=0.26", "pytest>=8"} <= set(requirements)
    assert "NOTICE: pypotrace cannot be built (error: potracelib.h is missing)" in result.stdout
    assert "using potracer instead" in result.stdout


def test_a_failed_download_leaves_no_stamp(machine: Machine) -> None:
    machine.switch("no-network")
    machine.program("python3.12", PYTHON)
    result = machine.setup()
    assert result.returncode == 1
    assert "check the network and the disk, then run make setup again" in result.stderr
    (machine.state / "no-network").unlink()
    assert machine.setup().returncode == 0
    assert "pip install -e .[dev]" in machine.log


# --- Makefile and CI entry


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=checkout, capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile with a set-up that is done and an interpreter that fails at the tool named in `broken`."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for path, text in (
        ("scripts/setup.sh", "#!/bin/sh\n"),
        (".venv/bin/python", '#!/bin/sh\necho "ran $*"\ncase "$*" in *"$(cat broken)"*) exit 3 ;; esac\n'),
    ):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
        (tmp_path / path).chmod(0o755)
    (tmp_path / "broken").write_text("nothing", encoding="utf-8")
    return tmp_path


def test_help_is_the_default_and_lists_every_target(checkout: Path) -> None:
    text = make(checkout).stdout
    phony = next(line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if ".PHONY" in line)
    listed = {line.split()[0] for line in text.splitlines()[1:]}
    assert listed == set(phony.split()[1:])
    assert {"help", "setup", "font", "test", "fonts", "bench", "clean"} <= listed


def test_make_test_runs_lint_types_and_tests(checkout: Path) -> None:
    result = make(checkout, "test")
    assert result.returncode == 0
    ran = [line for line in result.stdout.splitlines() if line.startswith("ran ")]
    assert [line.split()[2:] for line in ran] == [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["pytest", "-n", "2"],
    ]


@pytest.mark.parametrize("tool", ["ruff check", "ruff format", "mypy", "pytest"])
def test_make_test_fails_with_each_of_its_tools(checkout: Path, tool: str) -> None:
    (checkout / "broken").write_text(tool, encoding="utf-8")
    assert make(checkout, "test").returncode != 0


def test_make_font_builds_the_demo_and_fails_with_it(checkout: Path) -> None:
    assert "ran -m fontgen build pipelines/demo.toml" in make(checkout, "font").stdout
    (checkout / "broken").write_text("build", encoding="utf-8")
    assert make(checkout, "font").returncode != 0


def test_every_part_of_bench_names_a_module_of_the_benchmarks(checkout: Path) -> None:
    ran = [line.split()[-1] for line in make(checkout, "bench").stdout.splitlines() if line.startswith("ran ")]
    assert ran == [f"benchmarks.{name}" for name in ("render", "outline_roundtrip", "repair", "train")]
    for module in ran:
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module


def test_clean_keeps_the_environment_and_the_fonts(checkout: Path) -> None:
    for folder in ("build", "dist", "fonts", "fontgen/__pycache__"):
        (checkout / folder).mkdir(parents=True)
    assert make(checkout, "clean").returncode == 0
    assert not any((checkout / folder).exists() for folder in ("build", "dist", "fontgen/__pycache__"))
    assert (checkout / "fonts").is_dir()
    assert (checkout / ".venv/bin/python").exists()


def test_ci_runs_make_test_and_hands_on_its_status(tmp_path: Path) -> None:
    fake = tmp_path / "make"
    fake.write_text('#!/bin/sh\necho "$PWD: make $*"\nexit 7\n', encoding="utf-8")
    fake.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    result = subprocess.run(
        [ROOT / ".ci" / "run"], cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, check=False
    )
    assert (result.stdout.strip(), result.returncode) == (f"{ROOT}: make test", 7)


def test_the_licence_is_the_gpl_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007" in text
    assert "END OF TERMS AND CONDITIONS" in text
