"""What one chain on data of ImageNet's size needs, by calculation: nothing here was run on such machines."""

from rich.console import Console
from rich.table import Table

from _scaling.measurement import measure
from _scaling.sizes import Size


# Bytes and operations a second that data sheets of an H100 or H200 promise: matrix products in float32 and in TF32
# (dense), memory, a link between the GPUs of a machine (one direction), and a 400 Gb/s network port for each GPU.
_FLOAT32, _TF32, _MEMORY, _LINK, _PORT = 67e12, 494e12, 3.35e12, 450e9, 50e9
# What matrix products of this shape reach of it, and sums over devices.
_REACHED = 0.6
# GPUs in a machine.
_TOGETHER = 8
# Passes over N P numbers for each layer of a gradient, besides matrix products, each of 4 bytes read or written.
_PASSES = 8
# And over the weights, on every GPU: gradient, momentum and position.
_WEIGHT_PASSES = 6
# Gradients of a trajectory: the longest that the sampler makes by default.
_TRAJECTORY = 400
_SIZES = {
    "CIFAR-10": Size(50_000, 3072, 1000, 2, 10),
    "ImageNet 64, m = 10": Size(1_281_167, 64 * 64 * 3, 1000, 2, 10),
    "ImageNet 64, m = 1000": Size(1_281_167, 64 * 64 * 3, 1000, 2, 1000),
    "ImageNet 224, m = 1000": Size(1_281_167, 224 * 224 * 3, 1000, 2, 1000),
}
_DEVICES = (1, 8, 64)


def seconds(size: Size, devices: int, rate: float) -> tuple[float, float]:
    """Seconds of a gradient: what the devices compute, and what they send."""
    passes = _PASSES * size.L * size.N * 4.0 * size.P / _MEMORY
    weights = _WEIGHT_PASSES * 4.0 * size.weights / _MEMORY
    computing = (size.operations / (rate * _REACHED) + passes) / devices + weights
    band = _LINK if devices <= _TOGETHER else _PORT
    return computing, size.sent(devices) / (band * _REACHED)


def print_plan(console: Console) -> None:
    """The table; the memory is what XLA reserves for a trajectory compiled, not run, for so many devices."""
    table = Table("N = 1000, L = 2", "GPUs", "FLOP", "GB a GPU", "MB sent", "float32", "TF32", "sending", "trajectory")
    rows = {devices: measure(devices, True, list(_SIZES.values()), 0.0) for devices in _DEVICES}
    for index, (name, size) in enumerate(_SIZES.items()):
        for devices in _DEVICES:
            (slow, sending), (fast, _) = (seconds(size, devices, rate) for rate in (_FLOAT32, _TF32))
            table.add_row(
                name, str(devices), f"{size.operations:.1e}", f"{rows[devices][index]['bytes'] / 1e9:.1f}",
                f"{size.sent(devices) / 1e6:.0f}", _time(slow), _time(fast), _time(sending) if devices > 1 else "",
                _time(_TRAJECTORY * (slow + sending)),
            )  # fmt: skip
    console.print(table)
    console.print(
        f"seconds by calculation: {_REACHED:.0%} of {_FLOAT32 / 1e12:.0f} and {_TF32 / 1e12:.0f} TFLOP/s, of "
        f"{_LINK / 1e9:.0f} GB/s up to {_TOGETHER} GPUs and {_PORT / 1e9:.0f} GB/s beyond, one after another; a "
        f"trajectory has {_TRAJECTORY} gradients, in float32",
        highlight=False,
    )


def _time(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.2g} ms"
