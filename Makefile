# make demo and make test need git, Python 3.11 or later, make and g++; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH_VENV := .venv-torch
# --no-compile: bytecode is written for what is imported, not for all of 800 MB; 10 s less.
PIP_OPTIONS := --quiet --disable-pip-version-check --no-compile
# pip checks the hash of every file that it downloads. It refuses hashes and a tree in one command, so the tree comes second, and
# without build isolation, because that would fetch the build backend unchecked. $(1): environment, $(2): layer of requirements
install = $(1)/bin/pip install $(PIP_OPTIONS) --require-hashes -r scripts/requirements/$(2).txt && \
  $(1)/bin/pip install $(PIP_OPTIONS) --no-deps --no-build-isolation -e .
REQUIREMENTS := $(wildcard scripts/requirements/*.txt)
# Without bytecode every process compiles its modules anew, which doubles the time of a short command.
export PYTHONDONTWRITEBYTECODE :=
DEMO := build/demo
# One configuration, two heads: only the mode differs.
DIGITS := --preset digits-softmax
ARGMAX := --preset digits-softmax --set mode=argmax
# At this rate of the link a simulated board answers soon; the bitstream is built for the same, so that it is the same plan.
BOARD := --board icestick --baud 3000000
SCORES := sim/data/digits_scores.npy
LABELS := sim/data/digits_labels.npy

.PHONY: help demo test test-long test-interop test-pythons test-torch test-boards test-pairs fuzz mutation soak endurance lint bench prove tables docs screenshot hashes snapshots constraints licences clean
.DEFAULT_GOAL := help

help:
	@echo "make demo         both heads from one configuration: describe, generate, simulate, compare; a bitstream, simulated"
	@echo "make test         the test suite"
	@echo "make test-long    more of the same: whole benches of many configurations, a cluster, a link with every fault"
	@echo "make test-interop the files beside the Verilog in other people's tools, the page of serve in Chromium; installs 500 MB"
	@echo "make test-pythons the same bytes, and some of the tests, under every supported Python of this machine"
	@echo "make test-torch   the twin in PyTorch against the golden model, in an environment of its own"
	@echo "make test-boards  whole boards: bitstreams, their decoded form, and the host program at simulated ones"
	@echo "make test-pairs   every listed pair of a board and a preset, built to a bitstream; hours"
	@echo "make prove        the law of every preset and all results of small heads, proved on the generated Verilog"
	@echo "make fuzz         random configurations: bounds, and hardware equal to the model, for SECONDS=60 from SEED=1"
	@echo "make mutation     hundreds of faults in the Verilog of small heads, and what finds each of them; an hour"
	@echo "make soak         five heads under random stalls and resets for BEATS=100000000 beats, in a compiled bench; minutes"
	@echo "make endurance    memory and file handles of a simulated board over 100000 vectors; half an hour"
	@echo "make lint         ruff, and mypy on the public API"
	@echo "make bench        measures every variant anew: boards/measured/bench.json, the tables of the pages, build/bench/bench.html"
	@echo "make tables       writes the generated tables and pictures of the pages anew"
	@echo "make docs         the pages and the documentation of the modules as a site: build/docs/index.html"
	@echo "make screenshot   the README's picture of a report, after make demo; needs chromium"
	@echo "make hashes       stores the hashes of the hardware and of the Verilog anew, and names what changed"
	@echo "make snapshots    stores what every verb prints at 60 to 200 columns anew; read the difference"
	@echo "make constraints  pins the newest versions that pyproject.toml allows, and their hashes: scripts/constraints.txt, scripts/requirements"
	@echo "make licences     writes the licences of all dependencies anew, scripts/licences.md, and a bill of materials, build/sbom.json"
	@echo "make clean        removes .venv and build"

demo: $(VENV)/.runtime
	@echo "make demo: nine commands, about two minutes of processor time; the first simulation compiles its run-time library"
	$(BIN)/softstream describe $(DIGITS)
	$(BIN)/softstream generate $(DIGITS) -o $(DEMO)/softmax
	$(BIN)/softstream generate $(ARGMAX) -o $(DEMO)/argmax
	$(BIN)/softstream simulate $(DIGITS) --scores $(SCORES)
	$(BIN)/softstream simulate $(ARGMAX) --scores $(SCORES)
	$(BIN)/softstream compare $(DIGITS) --scores $(SCORES) --labels $(LABELS) -o $(DEMO)/report.html
	$(BIN)/softstream build $(BOARD) -o $(DEMO)/icestick
	$(BIN)/softstream flash --board icestick --dry-run $(DEMO)/icestick
	$(BIN)/softstream run-on-board $(BOARD) --simulated --vectors 10

test: $(VENV)/.dev
	$(BIN)/pytest -n 2 --dist worksteal -m "not boards and not long and not interop and not torch"

# LIMIT: seconds after which no further test starts; the summary counts those that are skipped.
test-long: $(VENV)/.dev
	$(BIN)/pytest -n 2 --dist worksteal -m long $(if $(LIMIT),--limit $(LIMIT))

# The tools of the extra, and place and route of the extras gatemate, nexus and machxo, take 500 MB, and make test does without them.
test-interop: $(VENV)/.interop
	$(BIN)/pytest -n 2 --dist worksteal -m interop

# It makes an environment of 100 MB for each of them in build/pythons.
test-pythons: build/types/softstream
	PYTHONPATH=tests $(PYTHON) -m support.pythons

# PyTorch takes 1 GB, or several with CUDA, so the other targets do without it.
test-torch: $(TORCH_VENV)/.torch
	$(TORCH_VENV)/bin/pytest -n 2 --dist worksteal -m torch

prove: $(VENV)/.dev
	$(BIN)/python -m softstream.scripts.measure.proofs

test-boards: $(VENV)/.dev
	$(BIN)/pytest -n 2 --dist loadgroup -m "boards and not pairs"

# Finished builds are cached, so a run that was interrupted goes on where it was.
test-pairs: $(VENV)/.dev
	$(BIN)/pytest -n 2 -m pairs

SECONDS ?= 60
SEED ?= 1
fuzz: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m support.fuzz --seconds $(SECONDS) --seed $(SEED)

mutation: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m support.mutation --write

BEATS ?= 100000000
soak: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m support.soak --beats $(BEATS) --seed $(SEED) --write

endurance: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m support.endurance --write

lint: $(VENV)/.dev build/types/softstream
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/softstream bench -o build/bench
	cp build/bench/bench.json boards/measured/bench.json
	$(BIN)/softstream gallery --place -o build/bench/gallery.html --json > build/bench/gallery.json
	cp build/bench/gallery.json boards/measured/gallery.json
	$(BIN)/python -m softstream.scripts.generated_tables

tables: $(VENV)/.dev
	$(BIN)/python -m softstream.scripts.generated_tables

docs: $(VENV)/.docs
	$(BIN)/python -m softstream.scripts.site build/docs
	@echo "build/docs/index.html"

# The picture is kept in the repository, because a browser is no part of the development environment.
screenshot: $(VENV)/.runtime
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1100,775 \
	  --screenshot=build/report.png file://$(CURDIR)/$(DEMO)/report.html
	$(BIN)/python -c "from PIL import Image; \
	  Image.open('build/report.png').convert('RGB').quantize(256).save('scripts/reports/compare.png', optimize=True)"

hashes: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m support.rtlil_hashes --write
	PYTHONPATH=tests $(BIN)/python -m support.verilog_hashes --write

snapshots: $(VENV)/.dev
	$(BIN)/pytest -n 0 -q tests/scripts/test_snapshots.py --rewrite-snapshots

# What an installed softstream looks like, out of links: mypy does not see through an editable install.
build/types/softstream: pyproject.toml
	rm -rf build/types
	mkdir -p $@
	for name in hw sim boards scripts; do ln -s ../../../$$name $@/$$name; done
	for name in __init__.py __main__.py py.typed torch.py; do ln -s ../../../scripts/softstream/$$name $@/$$name; done

# The stamp comes last: an installation that was interrupted is made anew.
$(VENV)/.made: scripts/venv.sh
	scripts/venv.sh $(VENV) $(PYTHON)
	touch $@

$(VENV)/.runtime: $(VENV)/.made pyproject.toml $(REQUIREMENTS)
	@echo "downloading 240 MB from the package index; .venv takes 1 GB; two minutes at 20 Mbit/s, and later runs download nothing"
	$(call install,$(VENV),runtime)
	touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml $(REQUIREMENTS)
	$(call install,$(VENV),dev)
	touch $@ $(VENV)/.runtime

$(VENV)/.interop: $(VENV)/.dev
	$(call install,$(VENV),interop)
	touch $@ $(VENV)/.dev $(VENV)/.runtime

# Not part of .dev: neither the demo nor the tests need Sphinx.
$(VENV)/.docs: $(VENV)/.made pyproject.toml $(REQUIREMENTS)
	$(call install,$(VENV),docs)
	touch $@ $(VENV)/.runtime

$(TORCH_VENV)/.torch: scripts/venv.sh pyproject.toml $(REQUIREMENTS)
	scripts/venv.sh $(TORCH_VENV) $(PYTHON)
	$(call install,$(TORCH_VENV),torch)
	touch $@

licences: $(VENV)/.interop $(VENV)/.docs
	$(call install,$(VENV),supply)
	PYTHONPATH=tests $(BIN)/python -m support.licences
	mkdir -p build
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o build/sbom.json $(BIN)/python
	@echo "scripts/licences.md, build/sbom.json"

constraints:
	scripts/venv.sh build/newest $(PYTHON)
	build/newest/bin/pip install $(PIP_OPTIONS) uv
	PYTHONPATH=tests build/newest/bin/python -m support.requirements build/newest/bin/uv
	rm -rf build/newest

clean:
	rm -rf $(VENV) $(TORCH_VENV) build dist softstream.egg-info
