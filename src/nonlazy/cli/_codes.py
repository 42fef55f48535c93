"""`nonlazy codes`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from nonlazy.cli._errors import Debug, guarded


@guarded
def codes(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Activations and labels: .npz, .npy, .csv, .tsv, .h5, .hdf5 or .zarr."),
    ],
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="Labels in a file of their own: .npy, .csv or .txt."),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option("--activation", metavar="NAME", help="sigmoid, relu or linear: where a class begins to count."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="NUMBER", help="A class counts above this mean activation."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="NAME", help="Write the picture as NAME.png and NAME.pdf."),
    ] = None,
    debug: Debug = False,
) -> None:
    """
    Find the coding scheme of any network's layer.

    A .npz, .h5 or .zarr file holds [bold]activations[/bold], neurons x inputs, and [bold]labels[/bold], the class of
    each input; and may hold [bold]reference[/bold], an untrained network's activations on the same inputs, without
    which inputs that are grouped by class already look like a code, and [bold]readouts[/bold], neurons x classes.
    A .npy file holds activations, with the labels in X-labels.npy or labels.npy beside it, or in the file that --labels
    names. A .csv file holds an input a line: a column a neuron, and one for the class, named label. Arrays on disk may
    be larger than memory; pickled objects are never loaded.

    [bold]Examples[/bold]

      nonlazy codes layer.npz
      nonlazy codes layer.npy --labels classes.csv --picture layer
      nonlazy codes layer.h5 --activation relu --json
    """
    from nonlazy.codes import detect, load

    layer = load(path, labels)
    scheme = detect(
        layer.activations,
        layer.labels,
        activation=activation,
        threshold=threshold,
        reference=layer.reference,
        readouts=layer.readouts,
    )
    written = []
    if picture is not None:
        from nonlazy.plots import coding_scheme, save

        drawn = coding_scheme(None, scheme, layer.activations, layer.labels, layer.readouts, title=path.name)
        stem = picture.with_suffix("") if picture.suffix in (".png", ".pdf") else picture
        written = [str(file) for file in save(drawn, stem)]
    if as_json:
        typer.echo(json.dumps({**scheme.to_dict(), "pictures": written}, indent=2, allow_nan=False))
        return
    from rich.console import Console

    console = Console()
    if len(scheme.codes):
        console.print(scheme.table())
    else:
        console.print(scheme.headline(), markup=False, highlight=False)
    for line in scheme.facts():
        console.print(line, markup=False, highlight=False)
    console.print(scheme.rule, style="dim", markup=False)
    for file in written:
        console.print(f"written: {file}", markup=False, highlight=False)
