# Everything a reader or an author does, one word each. Needs python3 (3.11 or newer) with venv.

PYTHON ?= python3
# Torch threads of each test process and each notebook: several of them run side by side.
THREADS ?= 1
# Seconds that one notebook cell may take.
CELL_TIMEOUT ?= 600

VENV := .venv
# Installing writes this file; a newer pyproject.toml or lock makes it stale.
READY := $(VENV)/.ready
BIN := $(VENV)/bin
PIP := $(BIN)/python -m uv pip
# One more process than there are cores, for each waits now and then for its disk or its browser;
# four at the most: each holds its own torch.
AT_ONCE = $$($(BIN)/python -c "import os; print(min(4, 1 + (os.cpu_count() or 1)))")
# A file's tests stay together, so that what they share is made once; in the order of the names,
# for the files with few and long tests are not the last ones.
BY_FILE := --dist loadfile --no-loadscope-reorder
BOUNDED := OMP_NUM_THREADS=$(THREADS) MKL_NUM_THREADS=$(THREADS)

# The book is built from a copy of the sources whose notebooks have been executed, once, for
# the test and for the page: the notebooks under version control hold no output.
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
# Records are copied as a folder, below.
PAGES := $(wildcard *.md) LICENSE pyproject.toml \
$(shell find book -type f -not -path '*/.*' -not -path 'book/results/*/*')
# What a notebook reads: when it is newer than the copies, all of them are executed anew.
READ := book/execute.py \
$(shell find adu_core book/results -type f -not -name '*.pyc' -not -name '*.md')
SITE := build/site
HTML := build/book/_build/html
# A copy is there when all of its cells have run: after a failure only the others are executed.
COPIES := $(addprefix $(SITE)/,$(NOTEBOOKS))
EXECUTED := build/.executed
# All have run on a pretended GPU, with other pictures and another CLIP.
ELSEWHERE := build/.elsewhere
PDF := $(SITE)/book/static/adu-book.pdf

.PHONY: help setup test unit notebooks elsewhere book pdf browser try figures records bench gpu machines mutants branches lint format lab colab lock clean address
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with the locked versions of everything (about 5 GB on Linux)

# The byte code is made now: otherwise the first commands take 20 s longer (open_clip brings much).
$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	"Python 3.11 or newer is needed, not " + sys.version.split()[0] + \
	": name another one, as in make PYTHON=python3.12 " )'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	$(PIP) install --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	$(PIP) install --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

# What uses one core goes beside what uses all.
TOGETHER := $(MAKE) --no-print-directory --jobs=2
test: $(READY) ## everything: style, types, units, notebooks, pages
	@$(TOGETHER) lint unit
	@$(MAKE) --no-print-directory notebooks
	@$(TOGETHER) elsewhere browser

# Without nbmake, which takes longer to load than torch: book/execute.py is what runs notebooks.
unit: $(READY) ## the unit tests alone
	$(BOUNDED) $(BIN)/python -m pytest -p no:nbmake --numprocesses $(AT_ONCE) $(BY_FILE) --ignore=tests/browser

notebooks: $(EXECUTED) ## execute the notebooks that changed (copies of them, under build/)

$(EXECUTED): $(NOTEBOOKS) build/.read
	@$(MAKE) --no-print-directory --keep-going --jobs=$(AT_ONCE) $(COPIES)
	@touch $@

build/.read: $(READ) $(READY)
	@mkdir -p $(SITE)/book
	rm -rf $(SITE)/book/results && cp -R book/results $(SITE)/book/results
	@touch $@

$(COPIES): $(SITE)/%: % build/.read
	@$(BOUNDED) $(BIN)/python book/execute.py $< $@ --timeout $(CELL_TIMEOUT)

elsewhere: $(ELSEWHERE) ## run them on a pretended GPU, with other pictures and another CLIP

$(ELSEWHERE): $(NOTEBOOKS) build/.read tests/own_gpu.py tests/fake_cuda.py
	@$(BOUNDED) $(BIN)/python tests/own_gpu.py --processes $(AT_ONCE) \
	$(or $(if $(filter-out notebooks/%,$?),,$(filter notebooks/%,$?)),$(NOTEBOOKS))
	@touch $@

book: $(HTML)/index.html ## build the book into build/book/_build/html
	@echo "The book: open $(HTML)/index.html in a browser."

$(HTML)/index.html: $(EXECUTED) $(PAGES)
	rm -rf build/book
	$(if $(KEEP),,rm -f $(PDF))
	@tar -cf - $(PAGES) | tar -xf - -C $(SITE)
	cd $(SITE) && $(CURDIR)/$(BIN)/jupyter-book build . --config book/_config.yml \
	--toc book/_toc.yml --path-output ../book --warningiserror --keep-going

# One page of everything, whose links start at the root, printed; then the pages again, which link
# it. A newer book drops it.
pdf: $(HTML)/index.html ## the whole book as one PDF, linked from its front page (with Chromium)
	cd $(SITE) && $(CURDIR)/$(BIN)/jupyter-book build . --config book/_config.yml \
	--toc book/_toc.yml --path-output ../one --builder singlehtml
	mv build/one/_build/singlehtml/book/index.html build/one/_build/singlehtml/one.html
	$(BIN)/python book/to_pdf.py build/one/_build/singlehtml/one.html $(PDF)
	rm -rf build/one $(HTML)
	$(MAKE) --no-print-directory book KEEP=yes

# And without tests/conftest.py, which loads torch in every process.
browser: $(HTML)/index.html ## open the built pages in Chromium, without a network
	@for name in chromium chromium-browser google-chrome chrome msedge; do \
	command -v $$name && exit; done >/dev/null; test -n "$$CHROMIUM" || $(BIN)/playwright install chromium
	$(BIN)/python -m pytest -p no:nbmake --numprocesses $(AT_ONCE) --confcutdir=tests/browser tests/browser

# The first thing a stranger types: nothing is needed before it, and it ends with what to do next.
try: $(READY) ## make the small CLIP forget sketches: a table before and after, and a picture
	$(BIN)/adu run --save build/try --force
	@echo; echo "What you see: sketches are named worse, the others almost as before. The picture:"
	@echo "  $(CURDIR)/build/try/before_after.png"
	@echo "Next:"
	@echo "  $(BIN)/adu run --method late-gate   refuses sketches, which does better: chapter 11"
	@echo "  $(BIN)/adu audit build/try          is it gone? an attack, and a model card"
	@echo "  make lab                         the chapters in JupyterLab; make book builds the pages"

figures: $(READY) ## make the picture of README and front page anew, light and dark
	$(BIN)/python book/before_after.py

records: $(READY) ## list the experiments' records: what is there, what would be run, how long
	@for grid in book/results/*/grid.yml book/results/*/*/grid.yml; do \
	test -f $$grid || continue; echo "$$(dirname $$grid)"; sed -n 's/^# /  /p' $$grid; \
	$(BIN)/adu sweep $$(dirname $$grid) --dry-run | sed 's/^/  /'; done

bench: $(READY) ## speed and memory as ratios; make bench SAVE=FOLDER keeps them
	$(BIN)/python benchmarks/step.py $(if $(SAVE),--save $(SAVE)/step.json)
	$(BIN)/python benchmarks/scaling.py $(if $(SAVE),--save $(SAVE)/scaling.json)
	$(BIN)/python benchmarks/imports.py $(if $(SAVE),--save $(SAVE)/imports.json)
	$(BIN)/python benchmarks/decode.py $(if $(SAVE),--save $(SAVE)/decode.json)

gpu: $(READY) ## what only a GPU can show, records in book/results/gpu; nothing where there is none
	$(BIN)/python benchmarks/gpu.py

machines: $(READY) ## tests and notebooks with other processors' arithmetic: an hour; SAVE=FILE keeps the record
	$(BIN)/python benchmarks/machines.py $(if $(SAVE),--save $(SAVE))

mutants: $(READY) ## change the code line by line: does a test notice? 35 minutes; SAVE=FILE keeps the record
	$(BIN)/python benchmarks/mutants.py $(if $(SAVE),--save $(SAVE))

branches: $(READY) ## which branches of the library the unit tests take; SAVE=FILE keeps the record
	$(BOUNDED) $(BIN)/python benchmarks/branches.py $(if $(SAVE),--save $(SAVE))

lint: $(READY) ## style of code and notebooks (ruff), types (mypy), spelling (codespell)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell *.md book adu_core notebooks tests benchmarks

format: $(READY) ## let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lab: $(READY) ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

# Three chapters as a reader on Colab has them: torch, torchvision, numpy and datasets are there, as
# new as they come, and the package must leave them alone.
COLAB := build/colab
THERE := $(PIP) freeze --python $(COLAB)/bin/python | grep -E '^(torch|torchvision|numpy|datasets)=='

colab: $(READY) ## the wheel over the newest torch and numpy, which must stay: three chapters; PYTHON says which
	rm -rf $(COLAB) && $(PYTHON) -m venv $(COLAB) && mkdir -p $(COLAB)/site/book
	$(PIP) install --quiet --python $(COLAB)/bin/python torch torchvision numpy datasets
	$(THERE) > $(COLAB)/before
	$(BIN)/python -m uv build --quiet --wheel --out-dir $(COLAB)/wheel
	$(PIP) install --quiet --python $(COLAB)/bin/python $(COLAB)/wheel/*.whl nbmake ipykernel
	$(THERE) | diff $(COLAB)/before -
	cp -R book/results $(COLAB)/site/book/results
	for name in 01_clip_sees_everything 08_the_real_thing 11_a_doorman; do \
	$(BOUNDED) $(COLAB)/bin/python book/execute.py notebooks/$$name.ipynb $(COLAB)/site/notebooks/$$name.ipynb || exit; done
	@cat $(COLAB)/before

# One lock for Linux, macOS and Windows: names, versions, hashes, and nothing of this machine.
lock: ## resolve pyproject.toml anew into requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	$(PIP) compile pyproject.toml --all-extras --universal --fork-strategy fewest --upgrade \
	--generate-hashes --no-header --no-annotate --no-emit-index-url --quiet -o requirements.lock

clean: ## remove what was built; .venv stays (rm -r .venv removes it)
	rm -rf build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

address: ## write the repository's address where it is needed: make address URL=https://…
	$(PYTHON) book/_ext/address.py "$(URL)"
