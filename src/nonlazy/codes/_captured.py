"""Layers of a network from input to output, and their coding schemes as one table."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from nonlazy.codes._coding_scheme import CodingScheme
from nonlazy.codes._detect import detect
from nonlazy.errors import InvalidInput, NonlazyError


if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, eq=False)
class Captured(Mapping[str, Float32[np.ndarray, "neurons inputs"]]):
    """Activations of layers by name, in the order in which they were computed; a mapping.

    **Fields:** `activations`: of each layer `(neurons, inputs)`; `reductions`: in words, how each came from the layer's
    outputs.
    """

    activations: Mapping[str, Float32[np.ndarray, "neurons inputs"]]
    reductions: Mapping[str, str]

    def __getitem__(self, layer: str) -> Float32[np.ndarray, "neurons inputs"]:
        return self.activations[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.activations)

    def __len__(self) -> int:
        return len(self.activations)

    def detect(
        self,
        labels: Any,
        activation: str | None = None,
        threshold: float | None = None,
        reference: Mapping[str, Any] | None = None,
    ) -> "LayerSchemes":
        """The coding scheme of every layer.

        **Arguments:** `labels`, `activation`, `threshold` as in `nonlazy.codes.detect`; `reference`: the same layers of
        the untrained network on the same inputs, as `capture` gives them.

        **Returns:** a `LayerSchemes`.

        **Raises:** `nonlazy.errors.InvalidInput` as `detect`, naming the layer, and where `reference` lacks one.
        """
        lacking = [] if reference is None else [name for name in self if name not in reference]
        if lacking:
            raise InvalidInput(f"the reference has no layer {', '.join(lacking)}")
        schemes = {}
        for name, layer in self.items():
            try:
                schemes[name] = detect(
                    layer, labels, activation, threshold, None if reference is None else reference[name]
                )
            except NonlazyError as error:
                raise InvalidInput(f"layer {name}: {error}") from None
        return LayerSchemes(schemes, self.reductions)

    def __repr__(self) -> str:
        layers = ", ".join(f"{name} {layer.shape}" for name, layer in self.items())
        return f"Captured({layers})"


@dataclass(frozen=True, eq=False)
class LayerSchemes(Mapping[str, CodingScheme]):
    """The coding schemes of a network's layers, from input to output; a mapping, and a table when printed."""

    schemes: Mapping[str, CodingScheme]
    reductions: Mapping[str, str]

    def __getitem__(self, layer: str) -> CodingScheme:
        return self.schemes[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.schemes)

    def __len__(self) -> int:
        return len(self.schemes)

    def table(self) -> "Table":
        """Layers in rows: neurons, kind, confidence, codes and their effective number, signal-to-noise ratio, alignment
        with the task (and by chance), NC1, share of the kernel that codes explain, as a `rich.table.Table`."""
        from rich.markup import escape
        from rich.table import Table

        found = Table()
        for k, name in enumerate(_COLUMNS):
            found.add_column(name, justify="left" if k in (0, 2) else "right", no_wrap=True)
        for name in self:
            found.add_row(*map(escape, self._row(name)))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Layer -> what `CodingScheme.to_dict` returns, and the layer's `reduction`."""
        return {
            name: {"reduction": self.reductions.get(name, "none"), **scheme.to_dict()} for name, scheme in self.items()
        }

    def __str__(self) -> str:
        rows = [list(_COLUMNS), *(self._row(name) for name in self)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(_COLUMNS))]
        lines = []
        for row in rows:
            cells = enumerate(zip(row, widths, strict=True))
            lines.append("  ".join(c.ljust(w) if k in (0, 2) else c.rjust(w) for k, (c, w) in cells))
        ways = {name: way for name, way in self.reductions.items() if way != "none" and name in self.schemes}
        if ways:
            words = "; ".join(f"{name}: {way}" for name, way in ways.items())
            lines += textwrap.wrap(f"Activations are reduced to one number a neuron and input ({words}).", 100)
        return "\n".join(line.rstrip() for line in lines)

    def _row(self, name: str) -> list[str]:
        scheme = self.schemes[name]
        n = len(scheme.codes)
        return [
            name,
            str(scheme.signal.size),
            scheme.kind,
            f"{scheme.confidence:.2f}",
            str(n) if n else "-",
            f"{scheme.effective_codes:.1f}" if n else "-",
            f"{scheme.evidence['signal_to_noise']:.3g}",
            f"{scheme.alignment.value:.2f} ({scheme.alignment.chance:.2f})",
            f"{scheme.collapse.nc1_trace:.2g}",
            f"{100 * scheme.kernel_share:.0f} %" if n else "-",
        ]


_COLUMNS = (
    "layer",
    "neurons",
    "kind",
    "sure",
    "codes",
    "effective",
    "signal/noise",
    "alignment",
    "NC1",
    "of kernel",
)
