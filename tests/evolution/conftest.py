"""What many tests of the update phase, and of whole runs, begin with."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from palaestra.agents.nursery import Plan, born
from palaestra.agents.policy import Sampling
from palaestra.evolution.updating.updater import Beginning


@pytest.fixture
def start(tmp_path):
    """Begins work of a method on a policy."""

    def starter(method, policy, *, seed=0, planned_steps=5, sampling=Sampling(), report_to=()):
        return method.start(policy, Beginning(seed, planned_steps, sampling, tmp_path, report_to))

    return starter


@pytest.fixture(scope="session")
def beginner(tmp_path_factory):
    """The folder of a policy with a little skill and much left to learn, so that weights and figures always change."""
    cache, place = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("beginner")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        plan = Plan(solved=0.02, able=0.02, practise_steps=1, settle_steps=20, hidden_size=32, intermediate_size=64)
        born("arithmetic?digits=1", plan=plan).save(place)
    return place


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        # A sandbox of its own needs rights that root in a container lacks; what is opened here is ours.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()
