import jax
import pytest


@pytest.fixture
def float64():
    """JAX in double precision, for one test."""
    enable = getattr(jax, "enable_x64", None)
    if enable is None:
        from jax.experimental import enable_x64 as enable
    with enable(True):
        yield


@pytest.fixture
def compiled_once(tmp_path_factory, monkeypatch):
    """Programs are compiled once and kept on disk, for this process and for those that it starts."""
    from jax.experimental.compilation_cache import compilation_cache

    folder = str(tmp_path_factory.getbasetemp() / "compiled")
    settings = {
        "jax_compilation_cache_dir": folder,
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
        monkeypatch.setenv(name.upper(), str(value))
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
