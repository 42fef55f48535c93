import bz2
import gzip
import io
import tarfile

import pytest

from nonlazy.errors import DataError
from nonlazy.tasks._archive import read_members


def tar(entries, mode="w"):
    """The bytes of an archive of (TarInfo or name, content) pairs."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for entry, content in entries:
            info = entry if isinstance(entry, tarfile.TarInfo) else tarfile.TarInfo(entry)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def member(name, kind):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


GOOD = [("a/one.bin", b"1" * 700), ("./a/two.bin", b"2" * 512)]


def written(tmp_path, data, name="archive.tar"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_reads_files_in_order(tmp_path, mode):
    members = read_members(written(tmp_path, tar(GOOD, mode)))
    assert members == {"a/one.bin": b"1" * 700, "a/two.bin": b"2" * 512}


def test_keeps_what_is_wanted(tmp_path):
    assert list(read_members(written(tmp_path, tar(GOOD)), lambda name: "two" in name)) == ["a/two.bin"]


def test_nothing_is_written(tmp_path):
    read_members(written(tmp_path, tar(GOOD)))
    assert [f.name for f in tmp_path.iterdir()] == ["archive.tar"]


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ([("../out.bin", b"x")], "points outside the archive"),
        ([("a/../../out.bin", b"x")], "points outside the archive"),
        ([("/etc/out.bin", b"x")], "points outside the archive"),
        ([("a\\..\\out.bin", b"x")], "points outside the archive"),
        ([(member("link", tarfile.SYMTYPE), b"")], "is a link or a device"),
        ([(member("hard", tarfile.LNKTYPE), b"")], "is a link or a device"),
        ([(member("device", tarfile.CHRTYPE), b"")], "is a link or a device"),
        ([("a", b"x"), ("./a", b"y")], "holds a twice"),
        ([("large", b"x" * 2000)], "member large has 2000 bytes"),
        ([("a", b"x" * 900), ("b", b"x" * 900), ("c", b"x" * 900)], "holds more than 2500 bytes"),
    ],
)
def test_hostile_archives_are_refused(tmp_path, entries, match):
    path = written(tmp_path, tar(entries))
    with pytest.raises(DataError, match=match) as raised:
        read_members(path, largest_member=1000, largest_archive=2500)
    assert str(raised.value).startswith(str(path))


def unwanted(name):
    return False


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_files_that_are_not_wanted_count(tmp_path, mode):
    path = written(tmp_path, tar([(f"{k}.txt", bytes(900)) for k in range(40)], mode))
    with pytest.raises(DataError, match="holds more than 9000 bytes when decompressed"):
        read_members(path, unwanted, largest_archive=9000)
    assert read_members(path, unwanted) == {}


def test_a_name_that_goes_on_for_ever_is_not_read(tmp_path):
    path = written(tmp_path, tar([("n" * 3_000_000, b"")], "w:bz2"))
    with pytest.raises(DataError, match="holds more than 1000000 bytes"):
        read_members(path, largest_archive=1_000_000)


def test_bytes_after_the_end_are_counted(tmp_path):
    data = bz2.compress(tar(GOOD))
    zeros = bz2.compress(bytes(45_000_000))
    assert len(read_members(written(tmp_path, data + zeros))) == 2
    with pytest.raises(DataError, match="more than 67108864 bytes after the end mark"):
        # Read to their end, these would be 270 GB, and take most of an hour.
        read_members(written(tmp_path, data + zeros * 6000))


PLAIN = tar(GOOD)
ZIPPED = gzip.compress(tar(GOOD), mtime=0)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "not a readable tar archive"),
        (b"hello" * 300, "not a readable tar archive"),
        (PLAIN[:600], "not a readable tar archive|truncated"),
        (PLAIN[: 512 + 1024], "truncated"),
        (PLAIN[: 512 + 1024 + 512 + 512], "no end mark"),
        (ZIPPED[: len(ZIPPED) // 2], "truncated: the compressed stream ends too early"),
        (ZIPPED[:-8] + bytes(8), "not a readable tar archive"),
        (gzip.compress(PLAIN[: 512 + 1024], mtime=0), "truncated"),
    ],
    # Names without the bytes: a compressed archive holds the time at which it was made.
    ids=["empty", "text", "in a header", "in a member", "no end", "half zipped", "wrong sum", "zipped part"],
)
def test_damaged_archives_are_refused(tmp_path, data, match):
    with pytest.raises(DataError, match=match):
        read_members(written(tmp_path, data))


def test_a_missing_archive(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_members(tmp_path / "none.tar")
