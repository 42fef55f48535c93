"""What the reader of a picture must not miss."""

from typing import Any

from nonlazy.plots import _style


def badge(figure: Any, text: str) -> None:
    """Draw a boxed word, such as "QUICK SIZE", at the top right of a figure."""
    figure.text(
        0.992, 1 - 0.05 / _style.inches(figure)[1], text, fontsize=_style.LABEL, va="top", ha="right", weight="bold",
        color="#B00020",
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "#B00020", "linewidth": 0.8},
    )  # fmt: skip
