# Every target makes the environment it needs; nothing but Python 3.11+ and make has to be there.
PYTHON ?= python3
ENV := .venv
BIN := $(ENV)/bin

# An empty path makes zoneinfo read the pinned tzdata package and never the machine's own rules.
export PYTHONTZPATH :=

.PHONY: figures test site lab lab-test lock data bench clean

figures: $(ENV)/ready
	$(BIN)/python -m toolkit.reproduce

test: $(ENV)/ready build/matplotlib-3.10/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -rs -n auto --dist loadfile tests
	$(BIN)/python -m pytest --doctest-modules toolkit
	$(BIN)/python -m pytest --nbval --nbval-current-env --nbval-sanitize-with tests/nbval.cfg \
		--nbval-cell-timeout 120 notebooks

site: $(ENV)/ready
	$(BIN)/python -m docs.build build/site

lab: $(ENV)/ready
	$(BIN)/jupyter lab notebooks

lab-test: $(ENV)/ready
	CHROMIUM_REQUIRED=yes $(BIN)/python -m pytest tests/test_lab.py

data: $(ENV)/ready
	$(BIN)/python -m toolkit.simulate data
	$(BIN)/python -m tests.exports data

bench: build/bench/ready
	build/bench/bin/python -m benchmarks.streaks
	build/bench/bin/python -m benchmarks.loaders
	build/bench/bin/python -m benchmarks.retention
	build/bench/bin/python -m benchmarks.viewings
	build/bench/bin/python -m benchmarks.sittings
	build/bench/bin/python -m benchmarks.audience
	build/bench/bin/python -m benchmarks.growth
	build/bench/bin/python -m benchmarks.scale
	build/bench/bin/python -m benchmarks.privacy
	build/bench/bin/python -m benchmarks.laws
	build/bench/bin/python -m benchmarks.coverage
	build/bench/bin/python -m benchmarks.audits

# The lock is one file for every supported Python and system; its tool lives outside the environment it locks.
lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet uv
	build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
		--generate-hashes --all-extras --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" --output-file requirements.txt pyproject.toml
	echo 'matplotlib==3.10.*' | build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
		--no-deps --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" --output-file tests/other_matplotlib.txt -

clean:
	rm -rf $(ENV) build

$(ENV)/ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv --clear $(ENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# For the test that the figures show the same numbers under another matplotlib.
build/matplotlib-3.10/ready: $(ENV)/ready tests/other_matplotlib.txt
	rm -rf build/matplotlib-3.10
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		--target build/matplotlib-3.10 -r tests/other_matplotlib.txt
	touch $@

build/bench/ready: requirements.txt benchmarks/requirements.txt
	$(PYTHON) -m venv --clear build/bench
	build/bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	build/bench/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	build/bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
