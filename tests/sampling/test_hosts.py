"""One chain over two hosts: processes that meet through `jax.distributed`, with two devices each."""

import importlib
import json
import signal
from typing import Any

import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput, SamplingError, StoreError
from nonlazy.sampling import Record, _driver
from nonlazy.sampling.store._store import chain_progress, read_attributes
from tests.sampling.many_devices import join, on_hosts, posterior_of
from tests.sampling.runs import assert_close, assert_same_draws, sample


def has_collectives() -> bool:
    """Whether this build of JAX lets CPUs of several processes add up their parts."""
    try:
        return hasattr(importlib.import_module("jaxlib._jax"), "make_gloo_tcp_collectives")
    except ImportError:
        return False


pytestmark = [
    pytest.mark.usefixtures("quick_compilation"),
    pytest.mark.skipif(not has_collectives(), reason="this build of JAX has no collectives between CPU processes"),
]
# Preactivations shared out over four devices, of which the last one has an input less.
CASE = ("sigmoid", 1, True, 7)
SETTINGS: dict[str, Any] = dict(
    draws=4, warmup=4, thin=1, seed=2, precision="float64", record=Record(snapshots=2, weights=True), moves="none"
)


def chains_on_hosts(port: int, host: int, hosts: int, folder: str) -> None:
    import jax

    join(port, host, hosts)
    assert (jax.device_count(), jax.local_device_count()) == (4, 2)
    posterior = posterior_of(*CASE)
    shown = []

    def request(name: str, **changes) -> Any:
        settings = {**SETTINGS, "chain_method": None, "devices": "all", "store": f"{folder}/{name}.zarr", **changes}
        try:
            return sample(posterior, **settings)
        except (InvalidInput, StoreError, SamplingError, KeyboardInterrupt) as error:
            return f"{type(error).__name__}: {error}"

    run = request("whole")
    refusals = {
        "another seed": request("seeds", seed=host),
        "no store": request("none", store=None),
        "one device": request("one", devices=None),
        "three devices": request("three", devices=3),
        "a store of something else": request("whole", seed=5),
        "overwriting, with another seed": request("whole", seed=host, overwrite=True),
        "nothing to resume": request("nothing", resume=True),
    }

    class Interrupted(_driver.Display):
        """Ctrl-C on the host that is asked for; every host counts its own progress."""

        def __init__(self, show: bool):
            self.show_it = show

        def show(self, progress):
            shown.append(self.show_it)
            if host == 1 and progress.iteration == 5:
                signal.raise_signal(signal.SIGINT)

    real = _driver.display
    _driver.display = lambda show, *_: Interrupted(show)
    stopped = request("stopped", progress=True)
    _driver.display = real
    before = chain_progress(run.path.parent / "stopped.zarr", read_attributes(run.path.parent / "stopped.zarr"))
    jax.experimental.multihost_utils.sync_global_devices("read")
    request("stopped", resume=True)
    with open(f"{folder}/{host}.json", "w") as file:
        said = {"refusals": refusals, "stopped": stopped, "iteration": before[0]["iteration"], "shown": shown[0]}
        json.dump(said | {"draws": run.draws, "complete": run.complete}, file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, quick_compilation):
    out = tmp_path_factory.mktemp("hosts")
    on_hosts(chains_on_hosts, out)
    return out


@pytest.fixture(scope="module")
def said(folder):
    return [json.loads((folder / f"{host}.json").read_text()) for host in range(2)]


def test_a_chain_over_two_hosts_is_that_of_one_device_to_rounding(folder, said):
    assert all(host["complete"] and host["draws"] == 4 for host in said)
    many = nl.open_run(folder / "whole.zarr")
    one = sample(posterior_of(*CASE), **SETTINGS)
    assert many.configuration["devices"] == 4 and many.provenance["device"] == "4 x cpu on 2 hosts"
    assert_close(many, one)


def test_ctrl_c_on_one_host_stops_all_of_them_and_the_run_goes_on(folder, said):
    assert [host["stopped"] for host in said] == ["KeyboardInterrupt: "] * 2
    # The iteration that was under way is finished first.
    assert {host["iteration"] for host in said} == {6}
    assert_same_draws(nl.open_run(folder / "stopped.zarr"), nl.open_run(folder / "whole.zarr"))


def test_only_the_first_host_shows_progress(said):
    assert [host["shown"] for host in said] == [True, False]


def test_what_one_host_cannot_do_all_refuse(said):
    first, second = (host["refusals"] for host in said)
    assert first["another seed"].startswith("StoreError: host 1 asks for another run: all hosts must make the same")
    assert "seed is 0 there and 1 here" in second["another seed"]
    for host in (first, second):
        # The run that is there stays: other tests read it.
        assert host["overwriting, with another seed"].startswith("SamplingError: the request of host 1 is not that of")
        assert host["no store"].startswith("InvalidInput: store is None, and JAX runs on several hosts")
        assert "give devices='all'" in host["one device"]
        assert "devices is 3, and JAX runs on 2 hosts with 4 (cpu) devices" in host["three devices"]
        assert "holds another experiment: seed is 2 there and 5 here" in host["a store of something else"]
        assert "there is no run to resume" in host["nothing to resume"]
