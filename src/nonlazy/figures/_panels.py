"""The numbers behind a figure's panels, as Zarr."""

import os
import shutil
import tempfile
from pathlib import Path

import xarray

from nonlazy._whole_files import unwritable
from nonlazy.errors import StoreError


def write_panels(panels: xarray.DataTree, path: Path) -> Path:
    """Writes the panels' numbers as a Zarr store in the place of `path`, whole or not at all.

    **Raises:** `nonlazy.errors.StoreError` where the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            plain = panels.map_over_datasets(with_plain_text)
            plain.to_zarr(temporary / "new", mode="w", zarr_format=3, consolidated=False)
            if path.exists():
                os.replace(path, temporary / "old")
            os.replace(temporary / "new", path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise unwritable(path, error) from None
    return path


def open_panels(path: str | Path) -> xarray.DataTree:
    """The numbers behind a figure's panels, as `nonlazy figure` wrote them: `figure-1-panels.zarr`.

    **Raises:** `nonlazy.errors.StoreError` where there is no such store.
    """
    if not Path(path, "zarr.json").is_file():
        raise StoreError(f"{path} holds no panels: give the -panels.zarr folder that nonlazy figure wrote")
    with xarray.open_datatree(str(path), engine="zarr", consolidated=False) as tree:
        return tree.load()


def with_plain_text(dataset: xarray.Dataset) -> xarray.Dataset:
    """The dataset with its texts as Python strings: Zarr 3 specifies no arrays of fixed-length text."""
    texts = {name: values for name, values in dataset.variables.items() if values.dtype.kind == "U"}
    return dataset.assign({name: (values.dims, values.values.astype(object)) for name, values in texts.items()})
