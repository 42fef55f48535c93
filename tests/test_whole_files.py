"""Texts on disk are whole or not there, and what cannot be written says what to do."""

import errno
import os
import stat

import pytest

from nonlazy._whole_files import UMASK, replace_text, unwritable, write_text
from nonlazy.errors import StoreError


def test_a_write_that_fails_leaves_the_old_text_and_nothing_else(tmp_path, monkeypatch):
    path = replace_text(tmp_path / "a.toml", "old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~UMASK

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"a\.toml cannot be written: No space left on device; free some space"):
        write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "old" and os.listdir(tmp_path) == ["a.toml"]


def test_folders_are_made(tmp_path):
    assert write_text(tmp_path / "b" / "c" / "a.json", "{}").read_text(encoding="utf-8") == "{}"


def test_another_folder_is_advised_where_this_one_is_not_permitted(tmp_path):
    said = str(unwritable(tmp_path, PermissionError(errno.EACCES, "Permission denied")))
    assert said == f"{tmp_path} cannot be written: Permission denied; choose another folder"
