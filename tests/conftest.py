"""What holds for all tests."""

import os
import shutil
import tempfile

import pytest


_CACHE = "XDG_CACHE_HOME"
_WORKER = "PYTEST_XDIST_WORKER"
_own: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """No test, and no process that one starts, reads or writes the user's cache; they share one that goes with them."""
    if _WORKER not in os.environ:
        _own.append(tempfile.mkdtemp(prefix="nonlazy-tests-"))
        os.environ[_CACHE] = _own[0]


def pytest_unconfigure(config: pytest.Config) -> None:
    for folder in _own:
        shutil.rmtree(folder, ignore_errors=True)
