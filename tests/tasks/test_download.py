import hashlib

import pytest

from nonlazy.errors import DataError
from nonlazy.tasks._download import RemoteFile, fetch


CONTENT = b"the original" * 1000
CHECKSUM = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


def remote(*addresses):
    return RemoteFile("file.gz", tuple(address + "file.gz" for address in addresses), CHECKSUM)


def test_downloads_once(tmp_path, capfd, serving):
    with serving({"file.gz": CONTENT}) as (address, asked):
        for _ in range(2):
            assert fetch(remote(address), tmp_path / "cache", "").read_bytes() == CONTENT
    assert asked == ["file.gz"]
    assert "100%" in capfd.readouterr().err


def test_the_next_mirror_serves_where_the_first_does_not(tmp_path, serving):
    with serving({}) as (broken, _), serving({"file.gz": CONTENT}) as (good, _):
        assert fetch(remote(broken, good), tmp_path, "").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("files", "announce", "match"),
    [
        ({"file.gz": CONTENT[:-1]}, {}, "another checksum"),
        ({"file.gz": b"<html>sign in</html>"}, {}, "another checksum"),
        ({"file.gz": CONTENT[:5000]}, {"file.gz": len(CONTENT)}, "file.gz could not be downloaded"),
        ({}, {}, "answers 404 Not Found"),
    ],
    ids=["truncated", "another page", "interrupted", "missing"],
)
def test_a_wrong_download_leaves_nothing_behind(tmp_path, files, announce, match, serving):
    with serving(files, announce) as (address, _):
        with pytest.raises(DataError, match=match) as raised:
            fetch(remote(address), tmp_path, "Name a folder in NONLAZY_DATA.")
    assert address in str(raised.value)
    assert str(raised.value).endswith("Name a folder in NONLAZY_DATA.")
    assert list(tmp_path.iterdir()) == []


def test_no_server_at_all(tmp_path, serving):
    with serving({}) as (address, _):
        pass
    with pytest.raises(DataError, match="no answer"):
        fetch(remote(address), tmp_path, "")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_nothing_behind(tmp_path, monkeypatch, serving):
    import requests

    def interrupted(self, *args, **kwargs):
        yield CONTENT[:100]
        raise KeyboardInterrupt

    monkeypatch.setattr(requests.Response, "iter_content", interrupted)
    with serving({"file.gz": CONTENT}) as (address, _):
        with pytest.raises(KeyboardInterrupt):
            fetch(remote(address), tmp_path, "")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_in_the_cache_is_downloaded_again(tmp_path, serving):
    (tmp_path / "file.gz").write_bytes(b"damaged")
    with serving({"file.gz": CONTENT}) as (address, asked):
        assert fetch(remote(address), tmp_path, "").read_bytes() == CONTENT
    assert asked == ["file.gz"]


def test_a_cache_folder_that_cannot_be_made(tmp_path, serving):
    (tmp_path / "cache").write_text("a file, not a folder")
    with serving({"file.gz": CONTENT}) as (address, _):
        with pytest.raises(DataError, match="cannot be kept in the cache folder"):
            fetch(remote(address), tmp_path / "cache", "")
