"""Fixtures for the tests of tasks."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's cache, and none sees the user's data folder unless it asks."""
    named = os.environ.get("NONLAZY_DATA")
    monkeypatch.delenv("NONLAZY_DATA", raising=False)
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr("pooch.os_cache", lambda project: cache / project)
    return named, cache / "nonlazy"


@pytest.fixture
def cache(own_cache):
    """The cache folder of downloads."""
    return own_cache[1]


@pytest.fixture
def real_data(own_cache, monkeypatch):
    """The folder with the real data sets."""
    named = own_cache[0]
    if not named or not Path(named).is_dir():
        pytest.skip("needs the real data sets: NONLAZY_DATA names no folder")
    monkeypatch.setenv("NONLAZY_DATA", named)
    return Path(named)


@pytest.fixture
def as_for_users():
    """Switch the shape checks of the test run off, which users do not have and which come before our own."""
    from jaxtyping import config

    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
