"""Tar archives read in memory: nothing is ever unpacked to disk."""

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from nonlazy._regular_files import check_regular, shown
from nonlazy.errors import DataError


LARGEST_MEMBER = 64 << 20
LARGEST_ARCHIVE = 4 << 30
# What tar writes after its end mark, to fill its last record, is at most some megabytes.
LARGEST_END = 64 << 20
_BLOCK = 1 << 20
_COMPRESSIONS: tuple[tuple[bytes, Callable[[Path], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
    (b"\x5d\x00\x00\x80", lzma.open),
)


def is_archive(path: Path) -> bool:
    """Whether a file's name is that of a tar archive, plain or compressed."""
    return path.name.lower().endswith((".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"))


def read_members(
    path: Path,
    wanted: Callable[[str], bool] = lambda name: True,
    largest_member: int = LARGEST_MEMBER,
    largest_archive: int = LARGEST_ARCHIVE,
) -> dict[str, bytes]:
    """The bytes of an archive's files by their paths in it, in the archive's order.

    **Arguments:**

    - `path`: a tar archive, plain or compressed.
    - `wanted`: which paths to keep; the others are checked, not kept.
    - `largest_member`, `largest_archive`: bytes that one file, and the whole archive when decompressed, may have.

    **Raises:** `nonlazy.errors.DataError` for a missing, truncated or corrupt archive, a path that is absolute or
    climbs out of the archive, a path that comes twice, a member that is neither a file nor a folder, and one that is
    too large.
    """
    try:
        check_regular(path)
    except FileNotFoundError:
        raise DataError(f"{shown(path)}: there is no such file") from None
    members: dict[str, bytes] = {}
    try:
        with (
            _decompressed(path) as plain,
            tarfile.open(fileobj=cast(IO[bytes], _Counted(path, plain, largest_archive)), mode="r:") as archive,
        ):
            for member in archive:
                name = _checked_name(path, member)
                if member.isdir():
                    continue
                if member.size < 0:
                    raise DataError(f"{path}: member {name} has {member.size} bytes: the archive is damaged")
                if member.size > largest_member:
                    raise DataError(
                        f"{path}: member {name} has {member.size} bytes; more than {largest_member} are not read"
                    )
                if name in members:
                    raise DataError(f"{path}: holds {name} twice")
                if not wanted(name):
                    continue
                stream = archive.extractfile(member)
                if stream is None:
                    raise DataError(f"{path}: member {name} is no file: the archive is damaged")
                members[name] = stream.read()
                if len(members[name]) != member.size:
                    raise DataError(f"{path}: truncated within {name}")
            _check_end(path, archive)
    except DataError:
        raise
    except EOFError:
        raise DataError(f"{path}: truncated: the compressed stream ends too early") from None
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{path}: not a readable tar archive ({error})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    # Damaged headers raise almost anything within tarfile: ValueError, OverflowError, KeyError, struct.error.
    except Exception as error:
        raise DataError(f"{path}: not a readable tar archive ({type(error).__name__}: {error})") from None
    return members


class _Counted:
    """The decompressed bytes of an archive, of which no more than `most` are ever made: a few kilobytes can stand for
    any number of them."""

    def __init__(self, path: Path, stream: Any, most: int):
        self._path, self._stream, self._most = path, stream, most

    def read(self, size: int = -1) -> bytes:
        place = self._stream.tell()
        left = self._most - place
        # One byte more than there may be, to see whether there is one.
        found = self._stream.read(left + 1 if size < 0 or size > left else size)
        self._check(place + len(found))
        return found

    def seek(self, place: int) -> int:
        self._check(place)
        return self._stream.seek(place)

    def tell(self) -> int:
        return self._stream.tell()

    def _check(self, place: int) -> None:
        if place > self._most:
            raise DataError(
                f"{self._path}: holds more than {self._most} bytes when decompressed, too much to keep in memory: "
                "unpack it and name the folder"
            )


def _decompressed(path: Path) -> Any:
    with path.open("rb") as file:
        begin = file.read(8)
    return next((unpack(path) for magic, unpack in _COMPRESSIONS if begin.startswith(magic)), None) or path.open("rb")


def _checked_name(path: Path, member: tarfile.TarInfo) -> str:
    pure = PurePosixPath(member.name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in member.name or "\0" in member.name:
        raise DataError(f"{path}: member {member.name!r} points outside the archive: such an archive is not read")
    if not (member.isfile() or member.isdir()):
        raise DataError(f"{path}: member {member.name!r} is a link or a device: only files and folders are read")
    return str(pure)


def _check_end(path: Path, archive: tarfile.TarFile) -> None:
    # tarfile takes a stream that stops between two members for the end; only a block of zeros is one. Reading on to
    # the end of a compressed stream has its checksum verified.
    stream = archive.fileobj
    assert stream is not None
    stream.seek(archive.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise DataError(f"{path}: truncated or damaged: the archive has no end mark after its last readable member")
    rest = 0
    while block := stream.read(_BLOCK):
        rest += len(block)
        if rest > LARGEST_END:
            raise DataError(
                f"{path}: has more than {LARGEST_END} bytes after the end mark of the archive, which tar never writes: "
                "it is damaged, or made to do harm; make the archive anew"
            )
