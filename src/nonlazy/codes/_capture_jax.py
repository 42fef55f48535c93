"""Layers of Flax NNX and Equinox modules. Both libraries are imported only for models that come from them."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nonlazy.errors import InvalidInput


_EVALUATION = ("deterministic", "use_running_average", "inference")


def knows(model: Any) -> bool:
    """Whether `model` is a Flax NNX or an Equinox module; without importing them."""
    return _is_nnx(model) or _is_equinox(model)


def run(model: Any, batch: Any, chosen: Callable[..., list[str]], of: str, record: Callable[..., None]) -> None:
    """Runs the model on a batch in inference mode and records the chosen layers; as in `_capture_torch`."""
    if _is_nnx(model):
        modules = dict(_nnx_modules(model))
        wanted = chosen(list(modules), _childless(modules))
        with _evaluating(modules), _watched({id(modules[name]): name for name in wanted}, modules, of) as seen:
            model(**batch) if isinstance(batch, Mapping) else model(batch)
        for name, value in seen:
            record(name, value, "last")
        return
    import equinox  # pyright: ignore[reportMissingImports]

    model = equinox.nn.inference_mode(model)
    modules = dict(_walk(model, ""))
    wanted = chosen(list(modules), _childless(modules))
    names: list[str] = []

    def one(x: Any) -> list[Any]:
        with _watched({id(modules[name]): name for name in wanted}, modules, of) as seen:
            model(x)
        names[:] = [name for name, _ in seen]
        return [value for _, value in seen]

    try:
        values = equinox.filter_vmap(one)(batch)
    except Exception as error:
        if type(error).__name__ != "UnexpectedTracerError":
            raise
        raise InvalidInput(
            "a layer is called inside another jax.vmap, scan or jit, from where its values cannot be read: name other "
            f"layers than {', '.join(wanted)}"
        ) from None
    for name, value in zip(names, values, strict=True):
        record(name, value, "first" if value.ndim >= 4 else "last")


def _is_nnx(model: Any) -> bool:
    nnx = sys.modules.get("flax.nnx")
    return nnx is not None and isinstance(model, nnx.Module)


def _is_equinox(model: Any) -> bool:
    equinox = sys.modules.get("equinox")
    return equinox is not None and isinstance(model, equinox.Module)


def _nnx_modules(model: Any) -> Iterator[tuple[str, Any]]:
    """Modules in the order in which they were defined, which `iter_modules` (by name) is not."""
    return _walk(model, "")


def _walk(part: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(part, Mapping):
        children = [(str(key), value) for key, value in part.items()]
    elif isinstance(part, (list, tuple)) or type(part).__name__ == "List":
        children = [(str(place), value) for place, value in enumerate(part)]
    elif knows(part):
        yield path or "model", part
        children = [(key, value) for key, value in vars(part).items() if not key.startswith("_")]
    else:
        return
    for key, child in children:
        yield from _walk(child, f"{path}.{key}" if path else key)


def _childless(modules: dict[str, Any]) -> list[str]:
    return [
        name
        for name, module in modules.items()
        if name != "model"
        and callable(module)
        and not any(other.startswith(f"{name}.") for other in modules)
        and not type(module).__name__.startswith(("Dropout", "Rng", "Identity"))
    ] or ["model"]


@contextlib.contextmanager
def _watched(names: dict[int, str], modules: dict[str, Any], of: str) -> Iterator[list[tuple[str, Any]]]:
    """While it lasts, calls of these modules are written down in order: name, and output or first input.

    Calls of an object are looked up on its class, so the classes get another `__call__` for as long.
    """
    seen: list[tuple[str, Any]] = []
    original: dict[type, Any] = {}

    def replaced(call: Any) -> Any:
        def watching(self: Any, *arguments: Any, **keywords: Any) -> Any:
            output = call(self, *arguments, **keywords)
            if id(self) in names:
                value = output if of == "outputs" else (arguments or tuple(keywords.values()))[0]
                while isinstance(value, (tuple, list)):
                    value = value[0]
                seen.append((names[id(self)], value))
            return output

        return watching

    try:
        for name in names.values():
            kind = type(modules[name])
            if "__call__" not in kind.__dict__:
                kind = next(base for base in kind.__mro__ if "__call__" in base.__dict__)
            if kind not in original:
                original[kind] = kind.__dict__["__call__"]
                type.__setattr__(kind, "__call__", replaced(original[kind]))
        yield seen
    finally:
        for kind, call in original.items():
            type.__setattr__(kind, "__call__", call)


@contextlib.contextmanager
def _evaluating(modules: dict[str, Any]) -> Iterator[None]:
    """No dropout, running averages of normalisation: as `Module.eval()`, and afterwards as before."""
    changed = [
        (module, name, getattr(module, name))
        for module in modules.values()
        for name in _EVALUATION
        if isinstance(getattr(module, name, None), bool)
    ]
    try:
        for module, name, _ in changed:
            setattr(module, name, True)
        yield
    finally:
        for module, name, before in changed:
            setattr(module, name, before)
