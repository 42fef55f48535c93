"""The `Run`: draws and diagnostics of a posterior, read from disk."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from jaxtyping import Float

from nonlazy.activations import BUILTIN, Activation
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.network import Network
from nonlazy.posterior import Posterior
from nonlazy.sampling._convergence import Diagnostics, diagnose
from nonlazy.sampling.store._checksums import check_sizes, verify
from nonlazy.sampling.store._configuration import activation_values, data_fingerprint
from nonlazy.sampling.store._lock import being_written
from nonlazy.sampling.store._store import chain_progress, read_attributes
from nonlazy.tasks import Task


# The groups that ArviZ knows; the others of a run are nonlazy's own.
_ARVIZ_GROUPS = (
    "posterior",
    "sample_stats",
    "posterior_predictive",
    "observed_data",
    "constant_data",
    "warmup_posterior",
    "warmup_sample_stats",
)


@dataclass(frozen=True, eq=False)
class Run:
    """The draws of a posterior, on disk. Get one from `nonlazy.sample` or `nonlazy.open_run`.

    Arrays are read when they are asked for. `draw` counts from 0, or from the end where it is negative; so does
    `layer` (0 is the first hidden layer, -1 the feature layer), though in the tree the coordinate `layer` counts from
    1, as in z^1 .. z^L. A run that was interrupted has the draws that all its chains have.

    **Fields:**

    - `path`: the folder.
    - `tree`: everything, as an `xarray.DataTree` with ArviZ's group names: `posterior` (`readout`), `sample_stats`,
      `posterior_predictive` (`f`, `f_test`: outputs), `observed_data` (`Y`), `constant_data` (`X`, `labels`), warm-up
      groups, and nonlazy's own `snapshots` (preactivations of the draws kept in full) and `running_means`.
    - `configuration`: what the run was asked for, with the posterior under `"posterior"`.
    - `provenance`: versions, device, precision, seed, time.
    - `complete`: whether every chain has all its draws.
    """

    path: Path
    tree: xarray.DataTree
    configuration: dict[str, Any]
    provenance: dict[str, Any]
    complete: bool
    custom_activation: Activation | None = None

    @property
    def chains(self) -> int:
        """Number of chains."""
        return int(self.tree.attrs["chains"])

    @property
    def draws(self) -> int:
        """Number of draws of each chain."""
        return int(self.tree.attrs["draws"])

    @cached_property
    def task(self) -> Task:
        """The task, as it was sampled.

        **Raises:** `nonlazy.errors.StoreError` where its data are damaged: they are compared with the fingerprint of
        those that were sampled with.
        """
        try:
            constants, observed = self.tree["constant_data"], self.tree["observed_data"]
            parts: dict[str, Any] = {
                name: np.array(group[name].values) if name in group else None
                for group, names in ((constants, ("X", "labels", "X_test", "labels_test")), (observed, ("Y", "Y_test")))
                for name in names
            }
            task = Task(
                **parts,
                class_names=tuple(json.loads(self.tree.attrs["class_names"])),
                name=self.tree.attrs["task_name"],
                provenance=json.loads(self.tree.attrs["task_provenance"]),
            )
        # What a damaged chunk raises depends on how it was compressed.
        except Exception as error:
            self.verify()
            raise StoreError(f"the data of {self.path} cannot be read: {type(error).__name__}: {error}") from error
        if data_fingerprint(task) != self.configuration["posterior"]["task"]["sha256_of_data"]:
            self.verify()
            raise StoreError(f"the data in {self.path} are not those that it was sampled with")
        return task

    def verify(self) -> int:
        """Reads every file of the run and compares it with its checksum; some seconds a gigabyte.

        Opening a run looks at the sizes of its files alone. Of an interrupted run, chains that are ahead of the slowest
        one are compared when they go on. A run of an older nonlazy has checksums of its checkpoints
        only.

        **Returns:** the number of files that were compared.

        **Raises:** `nonlazy.errors.StoreError` that names the first file that is missing, truncated or damaged.
        """
        return verify(self.path, self.chains)

    @cached_property
    def posterior(self) -> Posterior:
        """The posterior that was sampled, with its network and task.

        **Raises:** `nonlazy.errors.StoreError` where the activation is a function of the user's own, which no file can
        hold, and was not given to `open_run`.
        """
        stored = self.configuration["posterior"]
        network = stored["network"]
        return Posterior(
            Network(network["width"], network["depth"], self._activation, network["readout"]),
            self.task,
            stored["temperature"],
            stored["readout_variance"],
            tuple(stored["weight_variance"]),
        )

    @property
    def kept_draws(self) -> tuple[int, ...]:
        """The draws that were kept in full: those that `preactivations` and `activations` know."""
        if "snapshots" not in self.tree.children:
            return ()
        return tuple(int(draw) for draw in np.asarray(self.tree["snapshots/draw"]))

    def under_way(self) -> bool:
        """Whether another process is sampling this run right now. Not to be asked by the process that samples it."""
        return not self.complete and being_written(self.path, self.chains)

    def readouts(self) -> Float[np.ndarray, "chain draw neuron output"]:
        """The readouts a of every draw, `(chain, draw, neuron, output)`."""
        return self._variable("posterior", "readout").values

    def preactivations(
        self, layer: int = -1, draw: int = -1, chain: int = 0, *, test: bool = False
    ) -> Float[np.ndarray, "neuron input"]:
        """z of one layer on the training inputs (`test=True`: on the test inputs) at a kept draw, `(neuron, input)`.

        **Raises:** `nonlazy.errors.InvalidInput` for a draw that was not kept; the text names those that were.
        """
        stored = self._variable("snapshots", "preactivation_test" if test else "preactivation")
        wanted = _index("draw", draw, self.draws)
        kept = self.kept_draws
        if wanted not in kept:
            raise InvalidInput(
                f"draw {wanted} was not kept in full: this run keeps the draws {', '.join(map(str, kept)) or 'none'} "
                "(readouts and statistics are there for every draw)"
            )
        where = {"chain": _index("chain", chain, self.chains), "snapshot": kept.index(wanted)}
        return stored.isel(where)[_index("layer", layer, stored.sizes["layer"])].values

    def activations(
        self, layer: int = -1, draw: int = -1, chain: int = 0, *, test: bool = False
    ) -> Float[np.ndarray, "neuron input"]:
        """phi(z) of one layer at a kept draw, `(neuron, input)`; arguments and errors as `preactivations`.

        **Raises:** also `nonlazy.errors.StoreError` where the activation is a function of the user's own; see
        `posterior`.
        """
        phi = self._activation
        return np.asarray(phi(self.preactivations(layer, draw, chain, test=test)))

    def outputs(self, draw: int = -1, chain: int = 0, *, test: bool = False) -> Float[np.ndarray, "input output"]:
        """f(X) of one draw on the training inputs (`test=True`: on the test inputs), `(input, output)`."""
        stored = self._variable("posterior_predictive", "f_test" if test else "f")
        where = {"chain": _index("chain", chain, self.chains), "draw": _index("draw", draw, self.draws)}
        return stored.isel(where).values

    def mean_outputs(self, *, test: bool = False) -> Float[np.ndarray, "chain input output"]:
        """Posterior mean of f(X), `(chain, input, output)`."""
        name = "f_test" if test else "f"
        if self._has("running_means", name):
            return self._mean(name)
        return self._variable("posterior_predictive", name).mean("draw").values

    def kernel(self, layer: int = -1, chain: int | None = None) -> Float[np.ndarray, "P P"]:
        """Posterior mean of K_l = phi^T phi / N on the training inputs, `(P, P)`, over at most 50 draws a chain.

        **Arguments:** `chain`: one chain, or None for the mean over all.
        """
        where = {"layer": _index("layer", layer, self._variable("running_means", "kernel").sizes["layer"])}
        means = self._mean("kernel", where)
        return means.mean(axis=0) if chain is None else means[_index("chain", chain, self.chains)]

    def dual_field(self) -> Float[np.ndarray, "chain input output"]:
        """Posterior mean of t = (Y - f)/T, `(chain, input, output)`: of order 1 once a chain is down at the level of T.

        **Raises:** `nonlazy.errors.InvalidInput` at temperature 0.
        """
        if self._has("running_means", "dual_field"):
            return self._mean("dual_field")
        temperature = self.configuration["posterior"]["temperature"]
        if temperature == 0:
            raise InvalidInput("temperature is 0: the dual field (Y - f)/T is not defined")
        return (self.task.Y - self.mean_outputs()) / temperature

    def class_activations(self) -> Float[np.ndarray, "chain neuron class"]:
        """Posterior mean of the feature activations, averaged over each class's inputs, `(chain, neuron, class)`."""
        return self._mean("class_activation")

    def statistics(self) -> xarray.Dataset:
        """What is known of every draw, over `(chain, draw)`: log_density, loss, sum_a2, acceptance, step_size, ..."""
        return self.tree["sample_stats"].to_dataset().load()

    def diagnostics(self) -> Diagnostics:
        """R-hat, ESS and Monte Carlo errors of the quantities that do not change when neurons are exchanged.

        **Raises:** `nonlazy.errors.StoreError` where the run has no draws yet.
        """
        if self.draws == 0:
            raise StoreError(f"{self.path} has no draws yet, it stopped in its warm-up: continue it first")
        statistics = self.statistics()
        quantities: dict[str, np.ndarray] = {}
        for name, words in (("log_density", "log density"), ("sum_a2", "sum a^2"), ("loss", "loss")):
            # Without noise there is no density.
            if name in statistics and (name != "log_density" or self.configuration["posterior"]["temperature"] > 0):
                quantities[words] = statistics[name].values
        decisive = [name for name in quantities if name != "loss"]
        for name, values in self._kernel_entries(statistics):
            quantities[name] = values
            decisive.append(name)
        if "readout_norm" in statistics:
            norms = statistics["readout_norm"].transpose("chain", "draw", ...).values
            for rank in range(norms.shape[-1]):
                quantities[f"|a_i|^2, rank {rank + 1}"] = norms[..., rank]
        if not quantities:
            raise StoreError(f"{self.path} holds no quantity to diagnose: its sample_stats have {list(statistics)}")
        return diagnose(
            quantities,
            decisive=decisive,
            acceptance=statistics["acceptance"].values if "acceptance" in statistics else None,
            diverging=statistics["diverging"].values.astype(np.int64) if "diverging" in statistics else None,
            shortened=statistics["shortened"].values.astype(np.int64) if "shortened" in statistics else None,
        )

    def to_arviz(self) -> Any:
        """The groups that ArviZ knows, as the type that the installed ArviZ works on.

        **Returns:** an `arviz.InferenceData` for ArviZ 0.x, an `xarray.DataTree` for ArviZ 1.x.

        **Raises:** `nonlazy.errors.StoreError` where ArviZ is not installed.
        """
        try:
            import arviz
        except ImportError:
            raise StoreError("ArviZ is not installed: pip install arviz") from None
        groups = {name: child.to_dataset() for name, child in self.tree.children.items() if name in _ARVIZ_GROUPS}
        tree = xarray.DataTree.from_dict(groups)
        tree.attrs = dict(self.tree.attrs)
        # ArviZ 1 warns of its own past where asked for the type that it no longer has.
        return tree if int(arviz.__version__.split(".")[0]) >= 1 else arviz.InferenceData.from_datatree(tree)

    def __repr__(self) -> str:
        state = "complete" if self.complete else "interrupted"
        return f"Run({str(self.path)!r}: {self.chains} chains of {self.draws} draws, {state})"

    @property
    def _activation(self) -> Activation:
        network = self.configuration["posterior"]["network"]
        if self.custom_activation is not None:
            return self.custom_activation
        if network["custom_activation"] or network["activation"] not in BUILTIN:
            raise StoreError(
                f"{self.path} was sampled with an activation of your own, {network['activation']!r}, which no file can "
                "hold: give it to nonlazy.open_run(path, activation=...)"
            )
        return BUILTIN[network["activation"]]

    def _kernel_entries(self, statistics: xarray.Dataset) -> list[tuple[str, np.ndarray]]:
        if "kernel_entry" not in statistics:
            return []
        entries = statistics["kernel_entry"].transpose("chain", "draw", "layer", "pair").values
        constants = self.tree["constant_data"]
        pairs = np.asarray(constants["kernel_pair"]) if "kernel_pair" in constants else None
        named = []
        for layer in range(entries.shape[2]):
            for pair in range(entries.shape[3]):
                inputs = f"pair {pair}" if pairs is None else f"{pairs[pair][0]}, {pairs[pair][1]}"
                named.append((f"K^{layer + 1}[{inputs}]", entries[:, :, layer, pair]))
        return named

    def _has(self, group: str, name: str) -> bool:
        return group in self.tree.children and name in self.tree[group]

    def _variable(self, group: str, name: str) -> xarray.DataArray:
        if not self._has(group, name):
            raise StoreError(f"{self.path} does not keep {group}/{name}: ask for it when sampling")
        return self.tree[f"{group}/{name}"]  # type: ignore[return-value]

    def _mean(self, name: str, where: dict[str, int] | None = None) -> np.ndarray:
        values = self._variable("running_means", name).isel(where or {}).values
        if not self.complete and any(np.isnan(chain).all() for chain in values):
            raise StoreError(
                f"{self.path} was interrupted before it wrote the posterior mean of {name}: continue it first"
            )
        return values


def open_run(path: str | Path, activation: Activation | None = None) -> Run:
    """Opens a run on disk, complete or interrupted.

    **Arguments:**

    - `path`: the folder, by custom `NAME.zarr`.
    - `activation`: the `Activation` that the run was sampled with, if it was one of your own, which no file can hold.

    **Returns:** a `Run`.

    **Raises:** `nonlazy.errors.StoreError` where `path` is no run or is damaged; `nonlazy.errors.InvalidInput` for
    another activation than the run's.
    """
    path = Path(path)
    attributes = read_attributes(path)
    try:
        configuration, provenance = json.loads(attributes["configuration"]), json.loads(attributes["provenance"])
        network = configuration["posterior"]["network"]
        missing = [name for name in ("activation", "custom_activation") if name not in network]
        if missing or not isinstance(provenance, dict):
            raise KeyError(missing[0] if missing else "provenance")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read as a run of nonlazy: {type(error).__name__}: {error}") from error
    check_sizes(path, attributes["chains"])
    if activation is not None:
        custom = BUILTIN.get(activation.name) is not activation
        same = activation_values(activation) == network.get("activation_values")
        if (activation.name, custom) != (network["activation"], network["custom_activation"]) or not same:
            kind = "one of your own" if network["custom_activation"] else "nonlazy's own"
            raise InvalidInput(
                f"activation is {activation!r}: {path} was sampled with {network['activation']!r}, {kind}"
            )
    try:
        tree = xarray.open_datatree(path, engine="zarr", chunks=None)
        if not attributes["complete"]:
            tree = _without_unfinished(tree, chain_progress(path, attributes))
    except StoreError:
        raise
    # Damaged metadata raise almost anything: KeyError, TypeError, AttributeError, errors of Zarr's own.
    except Exception as error:
        raise StoreError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    return Run(path, tree, configuration, provenance, bool(attributes["complete"]), activation)


def _without_unfinished(tree: xarray.DataTree, progress: list[dict[str, Any]]) -> xarray.DataTree:
    draws = min(chain.get("draws", 0) for chain in progress)
    # A chain that draws has its warm-up behind it.
    everything = int(tree.attrs["warmup"])
    warmup = min(chain.get("warmup", everything if chain.get("draws", 0) else 0) for chain in progress)
    groups = {}
    for name, child in tree.children.items():
        group = child.to_dataset()
        if "snapshot" in group.dims:
            group = group.isel(snapshot=slice(0, int((group["draw"] < draws).sum())))
        elif "draw" in group.dims:
            group = group.isel(draw=slice(0, warmup if name.startswith("warmup") else draws))
        groups[name] = group
    trimmed = xarray.DataTree.from_dict(groups)
    trimmed.attrs = {**tree.attrs, "draws": draws, "warmup": warmup}
    return trimmed


def _index(name: str, value: int, size: int) -> int:
    if not -size <= value < size:
        raise InvalidInput(f"{name} is {value}: this run has {size}, counted from 0 (or from the end: -1 is the last)")
    return value % size
