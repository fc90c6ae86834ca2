"""A JupyterLab on a scratch copy of the repository, and a Chromium to use it with."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.test_net import checkout, environment

LIMIT_SECONDS = 120
ADDRESS = "{url}lab/workspaces/{{name}}/tree/{{name}}.ipynb?token={token}"
# Any free port; nothing asks another machine for news; and it ends by itself if we are killed.
FLAGS = [
    "--no-browser",
    "--allow-root",
    "--ServerApp.port=0",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
    "--MappingKernelManager.cull_idle_timeout=300",
    "--ServerApp.shutdown_no_activity_timeout=300",
]
CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
if not CHROMIUM:
    sentence = (
        "JupyterLab is not driven, since there is no Chromium (Debian: apt install chromium)."
    )
    if "CHROMIUM_REQUIRED" in os.environ:
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence, allow_module_level=True)


class Lab(NamedTuple):
    """A browser, and a JupyterLab that serves the notebooks of a scratch copy."""

    browser: Browser
    folder: Path
    address: str


@contextmanager
def started(scratch):
    """Start both in the folder `scratch`, for a user without settings; stop both in the end."""
    home = scratch / "home"
    home.mkdir()
    root = checkout(scratch / "repository")
    with serving(root, home) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            chromium_sandbox=os.geteuid() != 0,
            env=environment(HOME=str(home)),
        )
        yield Lab(browser, root / "notebooks", address)
        browser.close()


@contextmanager
def opened(lab, name):
    """The page of one notebook when its kernel is there, and the troubles to come."""
    troubles = set()

    def refuse(route):
        troubles.add(f"asked for {route.request.url}")
        route.abort()

    with lab.browser.new_context() as context:
        context.set_default_timeout(LIMIT_SECONDS * 1000)
        expect.set_options(timeout=LIMIT_SECONDS * 1000)
        context.route(lambda url: urlsplit(url).hostname != "localhost", refuse)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.add(error.message))
        page.goto(lab.address.format(name=name))
        # The indicator says idle also where there is no kernel yet.
        page.locator(".jp-KernelName", has_text="Python 3").wait_for()
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        yield page, troubles


def choose(page, menu, item):
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.get_by_role("menu").get_by_text(item, exact=True).click()


@contextmanager
def serving(root, home):
    """JupyterLab as `make lab` starts it; yield where it has a notebook."""
    own = ("IPYTHON", "JUPYTER", "XDG_")
    kept = {name: value for name, value in environment().items() if not name.startswith(own)}
    paths = {"HOME": home, "JUPYTER_RUNTIME_DIR": home / "runtime", "PYTHONPATH": root}
    command = [sys.executable, "-m", "jupyterlab", "notebooks", *FLAGS]
    streams = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    environ = kept | {name: str(path) for name, path in paths.items()}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=root, env=environ, stdout=log, **streams)
    try:
        yield address(server, home)
    finally:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(timeout=30)
        server.kill()
        server.wait()


def address(server, home):
    limit = time.monotonic() + LIMIT_SECONDS
    while server.poll() is None and time.monotonic() < limit:
        for file in home.glob("runtime/jpserver-*.json"):
            with suppress(json.JSONDecodeError):
                return ADDRESS.format_map(json.loads(file.read_text()))
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start:\n{(home / 'log').read_text()}", pytrace=False)
