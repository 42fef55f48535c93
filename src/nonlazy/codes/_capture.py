"""Activations of every layer of somebody else's network."""

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nonlazy.codes import _capture_jax, _capture_torch
from nonlazy.codes._captured import Captured
from nonlazy.codes._reduction import REDUCTIONS, reduced, said
from nonlazy.errors import InvalidInput


Record = Callable[[str, Any, str], None]


def capture(
    model: Any,
    data: Any,
    layers: str | Sequence[str] | None = None,
    of: str = "outputs",
    reduction: str = "mean",
    channels: str | None = None,
    batch_size: int = 256,
) -> Captured:
    """Activations of a network's layers on `data`, as `detect` takes them.

    - *PyTorch* modules are run in evaluation mode, without gradients, on the device and in the precision they have;
      forward hooks read the layers. By default these are the activation modules (ReLU, GELU, ...), or, where the
      network calls functions instead, all modules without children.
    - *Flax NNX* modules are called as they are, *Equinox* modules once for each input (vmap), both in inference mode.
      By default all modules without children are read. Activation functions are no modules there: `of="inputs"` reads
      what goes into a layer, which is what the activation function before it gave.
    - *Plain callables* get a batch and return an array, or a mapping of names to arrays.

    A module that is called several times gives several layers, "name", "name#2" and so on.

    **Arguments:**

    - `model`, `data`: data is an array or tensor with inputs along the first axis, or batches of them (a DataLoader,
      say; of a pair only the first entry is used, a mapping is passed on as keywords).
    - `layers`: names or patterns such as `"encoder.*.mlp"`, as `named_modules` spells them; None: as above.
    - `of`: `"outputs"` or `"inputs"` of the layers.
    - `reduction`: of outputs with positions or tokens, to one number a channel and input: `"mean"`, `"max"`, `"first"`
      or `"last"` token, or `"flatten"`, where every unit is a neuron.
    - `channels`: `"first"` (inputs, channels, ...) or `"last"`; None: first for images in PyTorch and Equinox and for
      one-dimensional convolutions in PyTorch, last for tokens and in Flax.
    - `batch_size`: inputs at a time, where `data` is an array.

    **Returns:** a `Captured`: layers from input to output, each `(neurons, inputs)` in single precision.

    **Raises:** `nonlazy.errors.InvalidInput` for unknown layers (naming those that exist), outputs that are no numbers,
    and models that are none of these.
    """
    if of not in ("outputs", "inputs"):
        raise InvalidInput(f"of is {of!r}: choose outputs or inputs")
    if reduction not in REDUCTIONS:
        raise InvalidInput(f"reduction {reduction!r} is not known: choose one of {', '.join(REDUCTIONS)}")
    if channels not in (None, "first", "last"):
        raise InvalidInput(f"channels is {channels!r}: choose first, last or None")
    if batch_size < 1:
        raise InvalidInput(f"batch_size is {batch_size}: it must be 1 or more")
    parts: dict[str, list[np.ndarray]] = {}
    shapes: dict[str, str] = {}
    order: list[str] = []

    for batch in batches(data, batch_size):
        called: dict[str, int] = {}

        def record(name: str, output: Any, usual: str, called: dict[str, int] = called) -> None:
            called[name] = called.get(name, 0) + 1
            name = name if called[name] == 1 else f"{name}#{called[name]}"
            array = np.asarray(output)
            where = channels or usual
            table = reduced(array, reduction, where, name)
            parts.setdefault(name, []).append(table)
            if name not in shapes:
                shapes[name] = said(array.shape, reduction, where)
                order.append(name)

        _run(model, batch, layers, of, record)
    if not order:
        raise InvalidInput("no layer was called: name layers that the model uses")
    sizes = {name: sum(len(part) for part in parts[name]) for name in order}
    if len(set(sizes.values())) > 1:
        raise InvalidInput(
            "layers saw different numbers of inputs: " + ", ".join(f"{name} {n}" for name, n in sizes.items())
        )
    return Captured({name: np.concatenate(parts[name]).T for name in order}, shapes)


def _run(model: Any, batch: Any, layers: str | Sequence[str] | None, of: str, record: Record) -> None:
    for framework in (_capture_torch, _capture_jax):
        if framework.knows(model):
            framework.run(model, batch, lambda names, usual: chosen(names, layers, usual), of, record)
            return
    if not callable(model):
        raise InvalidInput(f"a {type(model).__name__} is no PyTorch, Flax NNX or Equinox module and cannot be called")
    output = model(**batch) if isinstance(batch, Mapping) else model(batch)
    if not isinstance(output, Mapping):
        output = {"output": output}
    names = [str(name) for name in output]
    for name, value in zip(names, output.values(), strict=True):
        if name in chosen(names, layers, names):
            record(name, _capture_torch.plain(value), "last")


def chosen(names: Sequence[str], layers: str | Sequence[str] | None, usual: Sequence[str]) -> list[str]:
    """The names that `layers` asks for, in their order; `usual` if it asks for none."""
    if layers is None:
        return list(usual)
    patterns = [layers] if isinstance(layers, str) else list(layers)
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise InvalidInput(f"there is no layer {pattern!r}; the layers are {', '.join(names)}")
    return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def batches(data: Any, size: int) -> Iterator[Any]:
    """Batches of an array, or those that an iterable gives, without their labels."""
    if hasattr(data, "shape") and hasattr(data, "__getitem__"):
        for start in range(0, data.shape[0], size):
            yield data[start : start + size]
        return
    if not isinstance(data, Iterable):
        raise InvalidInput(f"data of type {type(data).__name__} are neither an array nor batches of one")
    for batch in data:
        yield batch[0] if isinstance(batch, (tuple, list)) else batch
