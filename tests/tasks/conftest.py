"""Fixtures for the tests of tasks."""

import contextlib
import http.server
import os
import threading
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's cache, and none sees the user's data folder unless it asks."""
    named = os.environ.get("NONLAZY_DATA")
    monkeypatch.delenv("NONLAZY_DATA", raising=False)
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda project: str(cache / project))
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


@contextlib.contextmanager
def _serving(files, announce=None):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.lstrip("/")
            asked.append(name)
            if name not in files:
                self.send_error(404, "Not Found")
                return
            self.send_response(200)
            self.send_header("Content-Length", str((announce or {}).get(name, len(files[name]))))
            self.end_headers()
            self.wfile.write(files[name])

        def log_message(self, format, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def serving():
    """A server on this machine: `with serving(files, announce) as (address, asked)`.

    `files` maps names to bytes, `announce` a name to another length than the true one, so that the connection ends too
    early; `asked` lists the names asked for.
    """
    return _serving
