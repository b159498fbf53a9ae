# fontgen: two fonts in, an installable font out. `make help` lists the targets.

PYTHON := .venv/bin/python
SETUP := setup
RUN := $(PYTHON) -m

.DEFAULT_GOAL := help
.PHONY: help setup font test fonts base-model bench bench-render bench-outline bench-repair bench-train bench-cuda bench-cuda-quality bench-base-model bench-build bench-proof release clean

help:  ## list the targets
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-19s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup:  ## make .venv with everything that is needed; nothing to do the second time
	@./scripts/setup.sh

font: setup  ## make the demo font from the fixtures: pipelines/demo.toml
	$(RUN) fontgen build pipelines/demo.toml

test: setup  ## lint, types and tests
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) pytest -n 2

fonts: setup  ## put the full fonts of pipelines/zen-maru-bold.toml into fonts/
	$(RUN) scripts.fetch_fonts

base-model: setup  ## train fixtures/models/base-128.safetensors again: pipelines/base-model.toml
	$(RUN) scripts.fetch_fonts --base-model
	$(RUN) fontgen train pipelines/base-model.toml
	$(RUN) fontgen export-checkpoint build/base-model/train/latest.safetensors -o fixtures/models/base-128.safetensors

bench: bench-render bench-outline bench-repair bench-train  ## all benchmarks

bench-render: setup  ## pairs drawn per second
	$(RUN) benchmarks.render

bench-outline: setup  ## outlines traced from perfect glyph images against the true ones
	$(RUN) benchmarks.outline_roundtrip

bench-repair: setup  ## repair of injected defects, and harm done to sound glyphs
	$(RUN) benchmarks.repair

bench-train: setup  ## images per second and memory of training and inference beside what published trainers do
	$(RUN) benchmarks.train

bench-cuda: setup  ## on a GPU: what each optimization brings; goes on where it was
	$(RUN) benchmarks.train_cuda --resume

bench-cuda-quality: setup  ## on a GPU: the recipe beside others, two hours; goes on where it was
	$(RUN) benchmarks.quality_cuda

bench-base-model: setup  ## a font started from the base model for 60 s of CPU time, and from scratch for 300 (minutes)
	$(RUN) benchmarks.base_model

bench-build: setup  ## the seconds of each stage of a build of all of cjk-unified that fonts/noto-sans-tc-bold.ttf has
	$(RUN) benchmarks.build_big

bench-proof: setup  ## frames of the proof page while it scrolls over all ideographs of fonts/noto-sans-tc-bold.ttf
	$(RUN) benchmarks.proof_scroll

# What to release: make release RECIPE=my-font.toml VERSION=1.001 CHECKPOINT=my-font.safetensors
RECIPE := pipelines/demo.toml
VERSION := 1.000
CHECKPOINT :=
RELEASE_FLAGS :=

release: $(SETUP)  ## build, check, compare and pack RECIPE as VERSION into dist/, drawn with CHECKPOINT when it is given
	$(RUN) fontgen release $(RECIPE) --version $(VERSION) $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT)) $(RELEASE_FLAGS)

clean:  ## remove what was built: build/, dist/ and caches (not .venv, not fonts/)
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
