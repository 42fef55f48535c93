"""Outputs of the network beside their targets."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style


def outputs_against_targets(
    axes: Any,
    outputs: Any,
    Y: Any,
    labels: Any,
    *,
    names: Sequence[Any] | None = None,
) -> None:
    """Draw each output on the inputs of each class, with its target as a bar.

    Classes stand side by side, and within each class its m outputs in their order; a dot is an input.

    **Arguments:**

    - `axes`: matplotlib axes to draw on.
    - `outputs`, `Y`: f_r(x_mu) and targets, `(inputs, m)`.
    - `labels`: class of each input, `(inputs,)`.
    - `names`: of the outputs; None takes the classes where there are as many, else 1 .. m.

    **Raises:** `nonlazy.errors.InvalidInput` where the shapes do not fit.
    """
    f, targets, labels = np.asarray(outputs, float), np.asarray(Y, float), np.asarray(labels)
    if f.ndim != 2 or f.shape != targets.shape or labels.shape != f.shape[:1] or f.size == 0:
        raise InvalidInput(
            f"outputs {f.shape}, targets {targets.shape} and labels {labels.shape} do not fit: give (inputs, m) twice "
            "and (inputs,)"
        )
    m = f.shape[1]
    _, classes, _ = _style.by_class(labels)
    if names is None:
        names = classes if len(classes) == m else list(range(1, m + 1))
    step = 1.0 / (m + 0.8)
    jitter = (np.arange(f.shape[0]) * 0.6180339887498949) % 1 - 0.5
    positions, texts = [], []
    for c, name in enumerate(classes):
        chosen = labels == name
        for r in range(m):
            x = c + step * (r - (m - 1) / 2)
            axes.scatter(
                x + 0.6 * step * jitter[chosen],
                f[chosen, r],
                s=float(np.clip(600 / f.shape[0], 0.6, 4)),
                color=_style.PALETTE[0],
                linewidths=0,
                alpha=0.6,
                rasterized=f.size > 3000,
            )
            # A class may hold several targets (regression); each is drawn once.
            values = np.unique(targets[chosen, r])[:50]
            axes.hlines(values, x - 0.45 * step, x + 0.45 * step, color=_style.THEORY, linewidth=0.9, zorder=3)
            positions.append(x)
            texts.append(str(names[r]))
        if c:
            axes.axvline(c - 0.5, color="0.8", linewidth=_style.LINE)
    _style.dress(axes)
    few = 1 < m and m * len(classes) <= 12
    axes.set_xticks(positions if few else range(len(classes)), texts if few else [str(name) for name in classes])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.5, len(classes) - 0.5)
    axes.margins(y=0.06)
    if few:
        _style.label(axes, "output $r$; bars: target")
        for c, name in enumerate(classes):
            axes.text(
                c,
                1.01,
                f"class {name}",
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=_style.TICK,
            )
    else:
        _style.label(axes, "class; bars: target")
    _style.few_ticks(axes.yaxis, 6)
    _style.label(axes, y="output $f_r(x_\\mu)$" if m > 1 else "output $f(x_\\mu)$")
