"""The IDX format of the MNIST files, read strictly.

A file is: two zero bytes, a byte for the type of the numbers (8: unsigned bytes), a byte for the number of dimensions,
each dimension as a big-endian 32-bit integer, then the numbers. Source: LeCun, Cortes & Burges, "The MNIST database of
handwritten digits".
"""

import gzip
import io
import math
import struct
import zlib

import numpy as np
from jaxtyping import UInt8

from nonlazy.errors import DataError


GZIP_MAGIC = b"\x1f\x8b"
LARGEST_FILE = 1 << 30


def parse_idx(data: bytes, name: str, dimensions: int) -> UInt8[np.ndarray, "..."]:
    """The array in an IDX file of unsigned bytes.

    **Arguments:**

    - `data`: the file's bytes, plain or compressed with gzip.
    - `name`: what error messages call the file.
    - `dimensions`: how many dimensions it must have: 3 for images, 1 for labels.

    **Returns:** the array, read-only, in the file's own shape.

    **Raises:** `nonlazy.errors.DataError` for a corrupt gzip stream, a wrong magic number, a truncated file, or bytes
    beyond those that the header announces.
    """
    if data[:2] == GZIP_MAGIC:
        data = _gunzip(data, name)
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise DataError(f"{name}: {len(data)} bytes, too short for the header of an IDX file ({header} bytes)")
    expected = bytes((0, 0, 8, dimensions))
    if data[:4] != expected:
        raise DataError(
            f"{name}: begins with 0x{data[:4].hex()}, not with the magic number 0x{expected.hex()} of an IDX file of "
            f"unsigned bytes in {dimensions} dimension{'s' if dimensions > 1 else ''}"
        )
    shape = struct.unpack(f">{dimensions}I", data[4:header])
    if 0 in shape:
        raise DataError(f"{name}: the header announces {' x '.join(map(str, shape))} numbers: the file holds no data")
    announced, found = math.prod(shape), len(data) - header
    if found != announced:
        what = "truncated" if found < announced else "bytes after the end of the data"
        sizes = " x ".join(map(str, shape))
        raise DataError(
            f"{name}: {what}: the header announces {sizes} = {announced} bytes of data, the file has {found}"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=header).reshape(shape)


def write_idx(array: UInt8[np.ndarray, "..."]) -> bytes:
    """The bytes of an IDX file of unsigned bytes, compressed with gzip; the same array gives the same bytes."""
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + np.ascontiguousarray(array).tobytes(), compresslevel=9, mtime=0)


def _gunzip(data: bytes, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            plain = stream.read(LARGEST_FILE + 1)
    except EOFError:
        raise DataError(f"{name}: truncated: the gzip stream ends too early") from None
    except (OSError, zlib.error) as error:
        raise DataError(f"{name}: corrupt gzip stream ({error})") from None
    if len(plain) > LARGEST_FILE:
        raise DataError(f"{name}: more than {LARGEST_FILE >> 20} MiB when decompressed, which no such file holds")
    return plain
