import pytest

from tests.sampling import runs


@pytest.fixture
def float64():
    """JAX in double precision, for one test."""
    with runs.float64():
        yield


@pytest.fixture(scope="session")
def folder_of_programs(tmp_path_factory):
    return str(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="module")
def quick_compilation(folder_of_programs):
    """`runs.quick_compilation` for the tests of a module."""
    with runs.quick_compilation(folder_of_programs):
        yield


@pytest.fixture(scope="session")
def reference(folder_of_programs):
    """Three chains, one after another: what other ways of making the draws are compared with."""
    with runs.quick_compilation(folder_of_programs):
        return runs.sample(chains=3)
