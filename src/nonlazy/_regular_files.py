"""Files and paths that a user names: only regular files are opened, and texts only where they have a text's size."""

import stat
from pathlib import Path

from nonlazy.errors import DataError, InvalidInput, NonlazyError


# An experiment has a few kilobytes; the lists of a large run's files some megabytes.
LARGEST_TOML = 16 << 20
LARGEST_JSON = 64 << 20
_LONG, _END = 300, 100
_KINDS = {
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


def shown(path: object) -> str:
    """A path as messages show it: of a very long one both ends."""
    said = str(path)
    return said if len(said) <= _LONG else f"{said[:_END]}...{said[-_END:]}"


def expanded(path: object) -> Path:
    """The path with `~` and `~name` replaced by home folders.

    **Raises:** `nonlazy.errors.InvalidInput` where there is no such home folder.
    """
    try:
        return Path(str(path)).expanduser()
    except RuntimeError:
        raise InvalidInput(
            f"{shown(path)}: there is no user of this name, or no home folder is known; write the path out"
        ) from None


def is_folder(path: Path) -> bool:
    """Whether a folder lies at a path that a user gave.

    **Raises:** `nonlazy.errors.InvalidInput` for a path that no file can have, and where one may not look.
    """
    return _look(path, stat.S_IFDIR)


def is_regular(path: Path) -> bool:
    """Whether a regular file, or a link to one, lies at a path that a user gave. **Raises:** as `is_folder`."""
    return _look(path, stat.S_IFREG)


def _look(path: Path, kind: int) -> bool:
    try:
        return stat.S_IFMT(path.stat().st_mode) == kind
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{shown(path)} cannot be looked at: {_reason(error)}; give another path") from None


def check_regular(
    path: Path,
    failure: type[NonlazyError] = DataError,
    *,
    most: int | None = None,
    advice: str = "give the path of one",
) -> int:
    """That a regular file, or a link to one, lies at `path`: opening anything else may wait or read for ever.

    **Arguments:** `failure`: what is raised; `most`: bytes that the file may have; `advice`: what to do about it.

    **Returns:** the file's bytes.

    **Raises:** `failure`; `FileNotFoundError` where nothing is there.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise failure(f"{shown(path)} cannot be read: {_reason(error)}") from None
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        what = _KINDS.get(kind, "of an unknown kind")
        raise failure(f"{shown(path)} cannot be read: it is {what}, not a regular file; {advice}")
    if most is not None and found.st_size > most:
        raise failure(
            f"{shown(path)} has {found.st_size} bytes, and no such file has more than {most} ({most >> 20} MiB): it is "
            "not read; give the right file"
        )
    return found.st_size


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
