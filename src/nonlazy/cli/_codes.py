"""`nonlazy codes`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nonlazy.cli._errors import Debug, guarded
from nonlazy.errors import DataError, InvalidInput


if TYPE_CHECKING:
    import numpy as np


@guarded
def codes(
    path: Annotated[
        Path, typer.Argument(metavar="FILE.npz", help="Activations and labels, as numpy.savez writes them.")
    ],
    activation: Annotated[
        str | None,
        typer.Option("--activation", metavar="NAME", help="sigmoid, relu or linear: where a class begins to count."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="NUMBER", help="A class counts above this mean activation."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    debug: Debug = False,
) -> None:
    """
    Find the coding scheme of any network's layer.

    The file, written in Python with numpy.savez("layer.npz", activations=phi, labels=labels), holds
    [bold]activations[/bold], neurons x inputs, and [bold]labels[/bold], the class of each input; and may
    hold [bold]reference[/bold], an untrained network's activations on the same inputs, without which inputs that are
    grouped by class already look like a code.

    [bold]Examples[/bold]

      nonlazy codes layer.npz
      nonlazy codes layer.npz --activation relu --json
    """
    from nonlazy.codes import detect

    arrays = _read(path)
    scheme = detect(
        arrays["activations"],
        arrays["labels"],
        activation=activation,
        threshold=threshold,
        reference=arrays.get("reference"),
    )
    if as_json:
        typer.echo(json.dumps(_plain(scheme), indent=2))
        return
    from rich.console import Console

    console = Console()
    console.print(scheme.table())
    console.print(scheme.rule, style="dim", markup=False)


def _read(path: Path) -> "dict[str, np.ndarray]":
    import zipfile
    import zlib

    import numpy as np

    if path.is_file() and not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not a .npz file: write one with numpy.savez(path, activations=..., labels=...)")
    try:
        with np.load(path, allow_pickle=False) as file:
            known = ("activations", "labels", "reference")
            arrays = {name: file[name] for name in file.files if name in known}
            missing = [name for name in known[:2] if name not in arrays]
            if missing:
                raise InvalidInput(
                    f"{path} holds no {' and no '.join(missing)}; its arrays are {', '.join(file.files) or 'none'}"
                )
            return arrays
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except InvalidInput:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read as a .npz file: {error}") from None


def _plain(scheme: Any) -> dict[str, Any]:
    return {
        "kind": scheme.kind,
        "confidence": float(scheme.confidence),
        "classes": [str(name) for name in scheme.classes],
        "codes": [
            {
                "code": scheme.code_name(index),
                "neurons": int(scheme.counts[index]),
                "fraction": float(scheme.fractions[index]),
                "activation": [float(value) for value in scheme.activations[index]],
            }
            for index in range(len(scheme.codes))
        ],
        "neuron_codes": scheme.neuron_codes.tolist(),
        "without_code": {reason: neurons.tolist() for reason, neurons in scheme.without_code.items()},
        "rule": scheme.rule,
        "evidence": {name: float(value) for name, value in scheme.evidence.items()},
    }
