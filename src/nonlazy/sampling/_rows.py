"""What a chain writes of its draws, and where."""

from typing import Any

import numpy as np

from nonlazy.sampling._hosts import Onlooker
from nonlazy.sampling.store._chain_writer import ChainWriter


# On hosts that write nothing an onlooker stands for the writer.
Writer = ChainWriter | Onlooker
GROUPS = {
    "posterior": ("readout",),
    "posterior_predictive": ("f", "f_test"),
    "sample_stats": (
        "log_density", "loss", "sum_a2", "acceptance", "energy_error", "step_size", "steps", "diverging", "shortened",
        "move_attempts", "move_accepted", "kernel_entry", "readout_norm",
    ),
}  # fmt: skip


def combine(iterations: list[dict[str, Any]]) -> dict[str, Any]:
    """The statistics of a draw from those of its iterations."""
    combined = dict(iterations[-1])
    combined["acceptance"] = float(np.mean([one["acceptance"] for one in iterations]))
    for name in ("steps", "diverging", "shortened", "move_attempts", "move_accepted"):
        combined[name] = sum(one[name] for one in iterations)
    return combined


def write(writer: Writer, group: str, done: int, rows: list[dict[str, Any]]) -> None:
    """Writes the last of the `done` rows of a group."""
    if rows and rows[0]:
        stacked = {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[0]}
        writer.write(group, done - len(rows), stacked)
