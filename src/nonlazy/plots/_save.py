"""Pictures on disk."""

import os
import tempfile
from pathlib import Path
from typing import Any

from nonlazy._whole_files import UMASK
from nonlazy.errors import StoreError


_RESOLUTION = 300  # dots an inch


def save(figure: Any, path_without_suffix: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write a figure as PNG (300 dots an inch) and PDF, each whole or not at all.

    The files hold no dates: the same figure gives the same bytes with the same version of matplotlib.

    **Arguments:** `figure`: a matplotlib figure; `path_without_suffix`: where, its folder is made if need be.

    **Returns:** the paths of the PNG and of the PDF.

    **Raises:** `nonlazy.errors.StoreError` if a file cannot be written; an older one is then still there.
    """
    stem = Path(path_without_suffix)
    metadata = {
        "png": {"Software": None},
        "pdf": {"Creator": "nonlazy", "Producer": None, "CreationDate": None, "ModDate": None},
    }
    paths = []
    for suffix, fields in metadata.items():
        path = stem.with_name(f"{stem.name}.{suffix}")
        temporary = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                figure.savefig(file, format=suffix, dpi=_RESOLUTION, metadata=fields)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files that only their owner reads; a picture is for everyone the folder is for.
            os.chmod(temporary, 0o666 & ~UMASK)
            os.replace(temporary, path)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
        finally:
            if temporary is not None and os.path.exists(temporary):
                os.unlink(temporary)
        paths.append(path)
    return paths[0], paths[1]
