# Every target works in .venv, which `make` builds first. GNU make 3.81 or later.

SCALE ?= laptop
PYTHON ?= python3
LOGS ?= logs
BIN := .venv/bin
BUILT := _build/$(SCALE)
PAGE := $(BUILT)/_build/html/index.html
PACKAGE := $(shell find digitlab -name '*.py' -o -name '*.txt') pyproject.toml constraints.txt
BOOK := _config.yml _toc.yml $(shell find book -type f -not -path '*/.*')

# Waiting threads that spin for long make PyTorch on Linux ten times slower on two busy cores.
export GOMP_SPINCOUNT ?= 10000

.DEFAULT_GOAL := help
.PHONY: help book test lab promises tensorboard clean FORCE

help: ## List all targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

book: $(PAGE) ## Run the chapters and render the book; the last line is its path
	@echo $(abspath $(PAGE))

test: .venv/installed ## Test everything: units, chapters, rendered pages (built at smoke scale)
	$(MAKE) book SCALE=smoke
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	DIGITLAB_SCALE=smoke $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lab: .venv/installed ## Open the chapters in JupyterLab
	$(BIN)/jupyter lab book

tensorboard: .venv/installed ## Show the curves of trainings that wrote logs into the folder LOGS
	$(BIN)/tensorboard --logdir $(LOGS)

promises: .venv/installed ## Run the chapters and store the outputs that git keeps
	$(BIN)/python tests/keep_promises.py

clean: ## Delete what was built, but not .venv
	rm -rf _build

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[all]'
	touch $@

# A page shows what the package and the data at hand give: when either changes, chapters run anew.
$(BUILT)/data: FORCE
	@mkdir -p $(BUILT)
	@echo "$(DIGITLAB_DATA)" | cmp -s - $@ || echo "$(DIGITLAB_DATA)" > $@

$(BUILT)/fresh: .venv/installed $(PACKAGE) $(BUILT)/data
	rm -rf $(BUILT)/_build/.jupyter_cache
	touch $@

$(PAGE): $(BUILT)/fresh $(BOOK)
	rm -rf $(BUILT)/_build/html # no page outlives its chapter
	DIGITLAB_SCALE=$(SCALE) $(BIN)/jupyter-book build -W --keep-going --path-output $(BUILT) .
	@touch $@
