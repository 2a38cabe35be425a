# Every target works in .venv, which `make` builds first. GNU make 3.81 or later.

SCALE ?= $(or $(DIGITLAB_SCALE),laptop)
PYTHON ?= python3
LOGS ?= logs
BIN := .venv/bin
BUILT := _build/$(SCALE)
PAGE := $(BUILT)/_build/html/index.html
PACKAGE := $(shell find digitlab -name '*.py' -o -name '*.js' -o -name '*.txt') pyproject.toml constraints.txt
BOOK := _config.yml _toc.yml $(shell find book -type f -not -path '*/.*' -not -path '* *')
# What takes longest is begun first, so that no process is left alone with it at the end.
LONG_TESTS := $(patsubst %,tests/test_%.py,experiment results adaptation models lightning backends cli \
	listener own_recording learning corpora recognisers voices)
CHAPTERS := $(shell ls -r book/[0-9]*_*.ipynb)
LAB_TESTS := tests/test_lab.py tests/test_lab_recorder.py
PAGE_TESTS := $(patsubst %,tests/test_%.py,browser pages slides site print) # of the rendered book
SHORT_TESTS := $(filter-out $(LONG_TESTS) $(LAB_TESTS) $(PAGE_TESTS),$(wildcard tests/test_*.py))
ALL_UNIT_TESTS := $(LONG_TESTS) $(filter-out tests/test_chapters.py,$(SHORT_TESTS))
# Three processes on two cores: one of them mostly waits, for a browser, a microphone or a server.
IN_THREE := --numprocesses 3 --no-loadscope-reorder
BY_FILE := $(IN_THREE) --dist loadfile
# A second thread of each would mostly wait, too.
ONE_THREAD := OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1

# Waiting threads that spin for long make PyTorch on Linux ten times slower on two busy cores.
export GOMP_SPINCOUNT ?= 10000

# Empty: Python keeps what it has compiled.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help book site slides test test-all types units coverage test-newest test-lab test-course \
	pdf lab promises pretrained word tensorboard package clean FORCE

help: ## List all targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

book: $(PAGE) ## Run the chapters and render the book; the last line is its path
	@printf '%s\n' "$$(pwd)/$(PAGE)"

# The folder that is published, as one file: unpack it anywhere and open index.html.
site: $(PAGE) ## Put the rendered book into one zip file; the last line is its path
	$(BIN)/python -m zipfile --create $(BUILT)/hearing-digits.zip $(BUILT)/_build/html/.
	@printf '%s\n' "$$(pwd)/$(BUILT)/hearing-digits.zip"

# They are among the pages; here is a folder of them alone, to be carried into a lecture.
slides: $(PAGE) ## Copy the slides of all chapters; the last line is the path of their list
	rm -rf $(BUILT)/slides # no deck outlives its chapter
	$(BIN)/python book/slides.py $(BUILT)/_build/html $(BUILT)/slides
	@printf '%s\n' "$$(pwd)/$(BUILT)/slides/index.html"

pdf: $(PAGE) ## Print each chapter into a PDF of its own, with Chromium or Chrome
	$(BIN)/python book/print_pdf.py $(BUILT)/_build/html $(BUILT)/pdf

test: ## Test everything: style, types, units, chapters, rendered pages (all at smoke scale)
	$(MAKE) test-all SCALE=smoke

test-all: .venv/installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(MAKE) --jobs 2 types units
	$(MAKE) book
	DIGITLAB_SCALE=$(SCALE) $(BIN)/python -m pytest $(IN_THREE) --dist loadgroup $(PAGE_TESTS)

types: .venv/installed
	$(BIN)/mypy

# nbval runs the chapters as a student would; the pages are built from a run with flipbooks.
units: .venv/installed
	$(ONE_THREAD) DIGITLAB_SCALE=$(SCALE) $(BIN)/python -m pytest $(BY_FILE) $(LAB_TESTS) $(LONG_TESTS) $(CHAPTERS) $(SHORT_TESTS)

coverage: .venv/installed ## Run the unit tests and hold them to the coverage that pyproject.toml asks for
	$(ONE_THREAD) DIGITLAB_SCALE=smoke $(BIN)/python -m pytest $(BY_FILE) --cov $(ALL_UNIT_TESTS)

test-lab: .venv/installed ## Run every chapter in JupyterLab, in a browser (`make test`: three), and record
	DIGITLAB_SCALE=smoke DIGITLAB_LAB=all $(BIN)/python -m pytest --numprocesses 2 $(LAB_TESTS)

test-course: .venv/installed ## Mark every assignment: right, wrong, empty and crashing answers (`make test`: some)
	DIGITLAB_SCALE=smoke DIGITLAB_COURSE=all $(BIN)/python -m pytest --override-ini timeout=3600 tests/test_course.py

test-newest: ## Run the unit tests with the newest release of everything, in .venv-newest
	"$(PYTHON)" -m venv --clear .venv-newest
	.venv-newest/bin/python -m pip install --upgrade pip
	.venv-newest/bin/python -m pip install --editable '.[all]'
	DIGITLAB_SCALE=smoke .venv-newest/bin/python -m pytest $(BY_FILE) $(ALL_UNIT_TESTS)

# Its kernel leaves TensorFlow's lines about the machine in the terminal.
lab: .venv/installed ## Open the chapters in JupyterLab: copies in lab/, yours to change
	$(BIN)/python book/plain_notebooks.py lab
	JUPYTER_PATH="$(CURDIR)/book/jupyter" $(BIN)/jupyter lab lab

tensorboard: .venv/installed ## Show the curves of trainings that wrote logs into the folder LOGS
	$(BIN)/tensorboard --logdir "$(LOGS)"

promises: .venv/installed ## Run the chapters and store the outputs that git keeps
	$(BIN)/python tests/keep_promises.py

pretrained: .venv/installed ## Train the model that comes with digitlab, on all corpora at hand
	$(BIN)/python benchmarks/pretrained.py
	$(BIN)/python -m digitlab.pretrained.javascript > book/assets/recogniser_weights.js
	$(BIN)/python -m digitlab.pretrained.javascript example > book/assets/recogniser_example.js
	$(MAKE) word

word: .venv/installed ## Draw the moving picture of the front page
	$(BIN)/python book/draw_word.py > book/assets/word.svg

package: .venv/installed ## Build the package for the index of packages into dist/, and check it
	$(BIN)/python -m pip install build twine
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

clean: ## Delete what was built, but not .venv
	rm -rf _build .venv-newest build dist

# Of 23,000 modules most are never imported: each is compiled when it is.
.venv/installed: pyproject.toml constraints.txt
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install --no-compile --constraint constraints.txt --editable '.[all]'
	touch $@

# A page shows what the package and the data at hand give: when either changes, chapters run anew.
$(BUILT)/data: FORCE
	@mkdir -p $(BUILT)
	@printf '%s\n' "$$DIGITLAB_DATA" | cmp -s - $@ || printf '%s\n' "$$DIGITLAB_DATA" > $@

$(BUILT)/fresh: .venv/installed $(PACKAGE) $(BUILT)/data
	rm -rf $(BUILT)/_build/.jupyter_cache
	touch $@

$(PAGE): $(BUILT)/fresh $(BOOK)
	rm -rf $(BUILT)/_build/html # no page outlives its chapter
	DIGITLAB_SCALE=$(SCALE) $(BIN)/jupyter-book build -W --keep-going --path-output $(BUILT) .
	@touch $@
