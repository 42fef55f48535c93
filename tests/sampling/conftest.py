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


@pytest.fixture(scope="module")
def compiled_once(tmp_path_factory):
    """What is compiled is kept on disk, for the tests of one module and for the processes that they start."""
    from jax.experimental.compilation_cache import compilation_cache

    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            jax.config.update(name, value)
            environment.setenv(name.upper(), str(value))
        compilation_cache.reset_cache()
        yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture(scope="session")
def reference():
    """Three chains, one after another, compiled as always: what other ways of making the draws are compared with."""
    from tests.sampling import runs

    return runs.sample(chains=3)
