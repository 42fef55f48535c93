"""Parts of a page as text. Everything that comes from data is escaped; nothing is loaded from elsewhere."""

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any


RESOLUTION = 160  # dots an inch: enough for a screen, and pages stay small
_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1c; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
img { max-width: 100%; height: auto; } figure { margin: 1rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.87rem; } th, td { padding: 0.2rem 0.7rem 0.2rem 0; text-align: left; }
th { border-bottom: 1.5px solid #555; vertical-align: bottom; } td { border-bottom: 1px solid #eee; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { background: #f6f6f6; padding: 0.8rem; overflow-x: auto; font-size: 0.82rem; } code { font-size: 0.9em; }
.good { color: #00634a; } .bad { color: #a8101f; } .note { color: #555; }
.badge { border: 1.5px solid #b00020; color: #b00020; font-weight: 600; padding: 0.1rem 0.5rem; border-radius: 4px; }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """A whole page of parts."""
    body = "\n".join(part for part in parts if part)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; `kind`: "good", "bad", "note" or "badge"."""
    return (
        f"<p{_class(kind)}>{escape(text)}</p>"
        if kind != "badge"
        else f'<p><span class="badge">{escape(text)}</span></p>'
    )


def preformatted(text: str) -> str:
    """Text as it is, in a fixed width."""
    return f"<pre>{escape(text.strip())}</pre>"


def folded(summary: str, inner: str) -> str:
    """Something to unfold."""
    return f"<details><summary>{escape(summary)}</summary>\n{inner}\n</details>"


def picture(png: bytes, description: str) -> str:
    """A picture, within the page."""
    data = base64.b64encode(png).decode("ascii")
    return f'<figure><img alt="{escape(description)}" src="data:image/png;base64,{data}"></figure>'


def drawing(figure: Any, description: str) -> str:
    """A matplotlib figure as a picture within the page."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=RESOLUTION, metadata={"Software": None})
    return picture(file.getvalue(), description)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[int] = ()) -> str:
    """A table; the columns `numbers` are set to the right. Numbers are given four digits, None and NaN nothing."""
    classes = ["number" if k in numbers else "" for k in range(len(head))]
    top = "".join(f"<th{_class(kind)}>{escape(text)}</th>" for text, kind in zip(head, classes, strict=True))
    lines = [
        "<tr>"
        + "".join(f"<td{_class(kind)}>{_cell(cell)}</td>" for cell, kind in zip(row, classes, strict=True))
        + "</tr>"
        for row in rows
    ]
    return (
        f'<div class="wide"><table>\n<thead><tr>{top}</tr></thead>\n<tbody>\n'
        + "\n".join(lines)
        + "\n</tbody></table></div>"
    )


def pairs(values: Mapping[str, Any]) -> str:
    """Names and values, one a line; mappings within are written out."""
    return table(("", ""), [(name, _said(value)) for name, value in values.items()])


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(part)}" for name, part in value.items() if part is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value))
    return "" if value is None else str(value)


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return "" if value is None else escape(str(value))
