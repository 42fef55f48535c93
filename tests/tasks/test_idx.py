import gzip
import struct

import numpy as np
import pytest

from nonlazy.errors import DataError
from nonlazy.tasks._idx import parse_idx, write_idx


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
PLAIN = bytes((0, 0, 8, 3)) + struct.pack(">3I", 2, 3, 4) + IMAGES.tobytes()


@pytest.mark.parametrize(
    "data", [PLAIN, gzip.compress(PLAIN, mtime=0), write_idx(IMAGES)], ids=["plain", "gzip", "written"]
)
def test_reads_what_the_format_says(data):
    assert np.array_equal(parse_idx(data, "images", 3), IMAGES)


def test_writing_is_deterministic():
    assert write_idx(IMAGES) == write_idx(IMAGES.copy())


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "images: 0 bytes, too short"),
        (PLAIN[:10], "images: 10 bytes, too short"),
        (PLAIN[:-1], "truncated: the header announces 2 x 3 x 4 = 24 bytes of data, the file has 23"),
        (PLAIN + b"\0", "bytes after the end of the data.* the file has 25"),
        (b"\0\0\x08\x01" + PLAIN[4:], "begins with 0x00000801, not with the magic number 0x00000803"),
        (b"\0\0\x0d\x03" + PLAIN[4:], "0x00000d03"),
        (b"<html>, not found" * 4, "magic number"),
        (PLAIN[:4] + struct.pack(">3I", 3, 3, 4) + PLAIN[16:], "3 x 3 x 4 = 36"),
        (PLAIN[:4] + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1) + PLAIN[16:], "truncated"),
        (gzip.compress(PLAIN, mtime=0)[:-9], "gzip stream ends too early"),
        (gzip.compress(PLAIN, mtime=0)[:-8] + bytes(8), "corrupt gzip stream"),
        (gzip.compress(PLAIN, mtime=0)[:12] + b"\xff\xff" + gzip.compress(PLAIN, mtime=0)[14:], "corrupt gzip stream"),
        (gzip.compress(PLAIN, mtime=0) + b"more", "corrupt gzip stream"),
    ],
)
def test_damaged_files_are_refused_by_name(data, match):
    with pytest.raises(DataError, match=match) as raised:
        parse_idx(data, "images", 3)
    assert str(raised.value).startswith("images: ")


def test_a_stream_that_swells_beyond_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr("nonlazy.tasks._idx.LARGEST_FILE", 10)
    with pytest.raises(DataError, match="when decompressed"):
        parse_idx(gzip.compress(PLAIN, mtime=0), "images", 3)
