"""Whether a machine can sample figure 7 at the paper's size."""

from nonlazy.errors import InvalidInput
from nonlazy.experiments import Experiment


# Of CIFAR-10: training images, and numbers in one.
_P, _N0, _OUTPUTS = 50_000, 3072, 10


def memory_needed(experiment: Experiment, devices: int = 1) -> float:
    """Bytes on each device: the inputs once, and for each chain preactivations, activations and gradients of all
    layers, and six arrays of the weights' size. Several devices share the inputs, and take one chain after another."""
    N, L = experiment.network.width, experiment.network.depth
    chains, P = (experiment.sampling.chains, _P) if devices == 1 else (1, -(-_P // devices))
    weights = N * _N0 + (L - 1) * N * N
    return 4.0 * (P * _N0 + chains * (4 * L * N * P + 6 * weights))


def operations(experiment: Experiment) -> float:
    """Floating-point operations of one gradient."""
    N, L = experiment.network.width, experiment.network.depth
    return float(_P) * (4 * N * _N0 + 6 * N * N * (L - 1) + 6 * N * _OUTPUTS)


def check_device(experiment: Experiment) -> None:
    """Refuses the paper's size where there is no GPU, or none with the memory that it needs.

    **Raises:** `nonlazy.errors.InvalidInput`, before any data are read.
    """
    import jax

    device, wanted = jax.devices()[0], experiment.sampling.devices or 1
    needed = memory_needed(experiment, wanted if isinstance(wanted, int) else len(jax.devices())) / 1e9
    if device.platform == "cpu":
        raise InvalidInput(
            f"figure 7 at the paper's size (P = {_P:,}, N = {experiment.network.width:,}) needs a GPU with "
            f"{needed:.0f} GB of memory, and JAX sees none: one gradient is {operations(experiment):.0e} operations, "
            "seconds on a CPU, and tens of thousands are needed. nonlazy figure 7 draws it at P = 1,000, N = 200; on a "
            "machine with a GPU install JAX for it, pip install 'jax[cuda12]'"
        )
    held = (device.memory_stats() or {}).get("bytes_limit")
    if held is not None and held < needed * 1e9:
        raise InvalidInput(
            f"figure 7 at the paper's size needs {needed:.0f} GB of memory on the device, and {device.device_kind} "
            f"gives {held / 1e9:.0f} GB: take one chain (--chains 1), a larger device, or several: a copy of the "
            'experiment figure7-full with devices = "all" in [sampling], and nonlazy run'
        )
