"""Layers of PyTorch modules, by forward hooks. PyTorch is imported only for models that come from it."""

import sys
from collections.abc import Callable, Mapping
from typing import Any


def knows(model: Any) -> bool:
    """Whether `model` is a PyTorch module; without importing PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def run(model: Any, batch: Any, chosen: Callable[..., list[str]], of: str, record: Callable[..., None]) -> None:
    """Runs the model on a batch in evaluation mode and records the chosen layers.

    **Arguments:** `chosen(names, usual)`: picks the layers; `of`: "outputs" or "inputs"; `record(name, array,
    channels)`.
    """
    import torch  # pyright: ignore[reportMissingImports]

    modules = {name or "model": module for name, module in model.named_modules()}
    handles = []
    training = {module for module in modules.values() if module.training}
    for name in chosen(list(modules), _usual(modules, torch)):

        def hook(module: Any, inputs: Any, output: Any, name: str = name) -> None:
            found = plain(output if of == "outputs" else inputs)
            record(name, found, "first" if found.ndim >= 4 or (found.ndim == 3 and _along(module)) else "last")

        handles.append(modules[name].register_forward_hook(hook))
    try:
        model.eval()
        with torch.no_grad():
            if isinstance(batch, Mapping):
                model(**{key: _placed(value, model, torch) for key, value in batch.items()})
            else:
                model(_placed(batch, model, torch))
    finally:
        for handle in handles:
            handle.remove()
        for module in modules.values():
            module.training = module in training


def plain(value: Any) -> Any:
    """The first tensor of an output, as a NumPy array."""
    while not hasattr(value, "detach") and not hasattr(value, "__array__"):
        if isinstance(value, Mapping):
            value = next(iter(value.values()))
        elif isinstance(value, (tuple, list)) and len(value) and not isinstance(value[0], (int, float)):
            value = value[0]
        else:
            return value
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        return (value.float() if value.is_floating_point() else value).numpy()
    return value


def _usual(modules: dict[str, Any], torch: Any) -> list[str]:
    """Activation modules, or all modules without children."""
    activations = torch.nn.modules.activation
    no_layers = (activations.MultiheadAttention, activations.Softmax, activations.Softmax2d, activations.LogSoftmax)
    found = [
        name
        for name, module in modules.items()
        if type(module).__module__ == activations.__name__ and not isinstance(module, no_layers)
    ]
    return found or [name for name, module in modules.items() if not any(True for _ in module.children())]


def _along(module: Any) -> bool:
    """Whether a module's three-dimensional outputs are (inputs, channels, positions)."""
    name = type(module).__name__
    return name.endswith("1d") and not name.startswith("LSTM")


def _placed(value: Any, model: Any, torch: Any) -> Any:
    tensor = torch.as_tensor(value)
    like = next(iter(model.parameters()), None)
    if like is None:
        return tensor
    floating = tensor.is_floating_point() and like.is_floating_point()
    return tensor.to(device=like.device, dtype=like.dtype if floating else None)
