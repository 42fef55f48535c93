"""A coding scheme in words, tables and JSON."""

import dataclasses
import math
import textwrap
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from rich.table import Table

    from nonlazy.codes._coding_scheme import CodingScheme


_ROWS = 12
# Classes that have a column of their own; of more, active and other classes have one each.
_CLASSES = 5
_WIDTH = 100


def headline(scheme: "CodingScheme") -> str:
    """Kind, number of codes and of neurons, confidence."""
    n, neurons = len(scheme.codes), scheme.neuron_codes.size
    codes = {0: "no codes", 1: "1 code"}.get(n, f"{n} codes")
    size = "1 neuron" if neurons == 1 else f"{neurons} neurons"
    return f"coding scheme: {scheme.kind} ({codes}, {size}, confidence {scheme.confidence:.2f})"


def facts(scheme: "CodingScheme") -> list[str]:
    """What is known of the layer besides its codes, a line each."""
    lines = []
    if len(scheme.codes):
        lines.append(
            f"effective number of codes {scheme.effective_codes:.3g}; the codes explain "
            f"{percent(scheme.kernel_share)} of the layer's kernel"
        )
        sure = scheme.code_confidences[scheme.neuron_codes >= 0]
        doubtful = int((sure < 0.95).sum())
        lines.append(
            f"codes of neurons expected right: {percent(float(sure.mean()))}; {doubtful} of {sure.size} neurons have a "
            "code that is right with a probability below 95 %"
        )
    if not math.isfinite(scheme.alignment.value):
        lines.append("kernel alignment with the task and NC1 to NC4 are not defined: no neuron varies over the inputs")
        return lines
    lines.append(
        f"kernel alignment with the task {scheme.alignment.value:.3f} (by chance {scheme.alignment.chance:.3f}); "
        f"{collapse(scheme)}"
    )
    return lines


def collapse(scheme: "CodingScheme") -> str:
    """NC1 to NC4 in one line."""
    nc = scheme.collapse
    nc3 = "" if nc.nc3 is None else f", NC3 {nc.nc3:.2g}"
    return f"NC1 {nc.nc1_trace:.2g} (trace), NC2 {nc.nc2_norms:.2g} and {nc.nc2_angles:.2g}{nc3}, NC4 {nc.nc4:.2g}"


def table(scheme: "CodingScheme") -> "Table":
    """The codes as a rich table."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    found = Table(title=headline(scheme), title_justify="left", box=SIMPLE_HEAD, collapse_padding=True)
    for name in _names(scheme):
        found.add_column(escape(name), justify="left" if name == "code" else "right", no_wrap=True)
    coded, rest = _rows(scheme)
    for row in coded:
        found.add_row(*map(escape, row))
    # Below the table: reasons are long, and as names of rows they would leave the numbers no room.
    found.caption = escape("\n".join(f"{name}: {number} neurons ({share})" for name, number, share in rest)) or None
    found.caption_justify = "left"
    return found


def text(scheme: "CodingScheme") -> str:
    """Headline, codes, facts and the rule, at most 100 columns wide unless many classes need more."""
    coded, rest = _rows(scheme)
    rows = [_names(scheme), *coded]
    widths = [max(len(row[k]) if k < len(row) else 0 for row in rows) for k in range(len(rows[0]))]
    lines = [headline(scheme)]
    if len(rows) > 1:
        for row in rows:
            cells = zip(row, widths, strict=False)
            lines.append("  " + "  ".join(c.rjust(w) if k else c.ljust(w) for k, (c, w) in enumerate(cells)).rstrip())
    lines += [f"  {name}: {number} neurons ({share})" for name, number, share in rest]
    for sentence in [*facts(scheme), *scheme.rule.splitlines()]:
        lines += textwrap.wrap(sentence, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def plain(scheme: "CodingScheme") -> dict[str, Any]:
    """What `CodingScheme.to_dict` returns."""
    found = {
        "kind": scheme.kind,
        "confidence": scheme.confidence,
        "classes": [str(name) for name in scheme.classes],
        "codes": [
            {
                "code": scheme.code_name(i),
                "active": scheme.codes[i].tolist(),
                "neurons": int(scheme.counts[i]),
                "fraction": float(scheme.fractions[i]),
                "interval": scheme.fraction_intervals[i].tolist(),
                "activation": scheme.activations[i].tolist(),
            }
            for i in range(len(scheme.codes))
        ],
        "neuron_codes": scheme.neuron_codes.tolist(),
        "code_confidences": scheme.code_confidences.tolist(),
        "without_code": {reason: neurons.tolist() for reason, neurons in scheme.without_code.items()},
        "effective_codes": scheme.effective_codes,
        "kernel_share": scheme.kernel_share,
        "alignment": dataclasses.asdict(scheme.alignment),
        "collapse": dataclasses.asdict(scheme.collapse),
        "class_means": scheme.class_means.tolist(),
        "signal": scheme.signal.tolist(),
        "mean_squares": scheme.mean_squares.tolist(),
        "rule": scheme.rule,
        "evidence": {name: float(value) for name, value in scheme.evidence.items()},
    }
    return _finite(found)


def _mean(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


def percent(fraction: float) -> str:
    """With one decimal."""
    return f"{100 * fraction:.1f} %"


def _names(scheme: "CodingScheme") -> list[str]:
    means = [f"<phi>, {name}" for name in scheme.classes]
    if len(means) > _CLASSES:
        means = ["<phi>, on", "<phi>, off"]
    return ["code", "neurons", "share", "95 % interval", *means]


def _rows(scheme: "CodingScheme") -> tuple[list[list[str]], list[list[str]]]:
    """The codes, and the neurons that are not in these rows."""
    shown = list(range(len(scheme.codes)))
    if len(shown) > _ROWS:
        shown = sorted(shown, key=lambda i: -scheme.counts[i])[:_ROWS]
    rows = []
    for i in shown:
        low, high = scheme.fraction_intervals[i]
        between = f"{100 * low:.1f} - {100 * high:.1f} %"
        means = list(scheme.activations[i])
        if len(means) > _CLASSES:
            groups = scheme.activations[i, scheme.codes[i]], scheme.activations[i, ~scheme.codes[i]]
            means = [float(group.mean()) if group.size else math.nan for group in groups]
        rows.append(
            [scheme.code_name(i), str(scheme.counts[i]), percent(scheme.fractions[i]), between, *map(_mean, means)]
        )
    neurons, rest = scheme.signal.size, []
    if len(shown) < len(scheme.codes):
        left = int(scheme.counts.sum() - scheme.counts[shown].sum())
        rest.append([f"{len(scheme.codes) - len(shown)} rarer codes", str(left), percent(left / neurons)])
    for reason, left_out in scheme.without_code.items():
        if left_out.size == neurons:
            continue  # the whole layer: the headline says so
        rest.append([f"no code: {reason}", str(left_out.size), percent(left_out.size / neurons)])
    return rows, rest


def _finite(value: Any) -> Any:
    """The same with None for NaN and infinities, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
