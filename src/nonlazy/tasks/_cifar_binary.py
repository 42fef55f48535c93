"""The binary version of CIFAR-10, read strictly.

A batch is 10,000 records of 3,073 bytes: the label, then 32 x 32 red, as many green, as many blue values, row by row.
Source: Krizhevsky, "Learning multiple layers of features from tiny images" (2009), and the data set's page.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int, UInt8

from nonlazy.errors import DataError


FOLDER = "cifar-10-batches-bin"
TRAINING_BATCHES = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST_BATCHES = ("test_batch.bin",)
PIXELS = 3 * 32 * 32
RECORDS = 10_000


def parse_batch(
    data: bytes, name: str, records: int = RECORDS
) -> tuple[UInt8[np.ndarray, "records 3072"], Int[np.ndarray, " records"]]:
    """Images (colour planes red, green, blue) and labels 0 .. 9 of one batch.

    **Arguments:** `data`: the file's bytes. `name`: what error messages call it. `records`: how many it must hold.

    **Raises:** `nonlazy.errors.DataError` where the size is not that of so many records, or a label is above 9.
    """
    expected = records * (PIXELS + 1)
    if len(data) != expected:
        what = "truncated" if len(data) < expected else "too long"
        raise DataError(
            f"{name}: {what}: {records} images of {PIXELS + 1} bytes are {expected} bytes, the file has {len(data)} "
            f"({len(data) / (PIXELS + 1):g} images)"
        )
    table = np.frombuffer(data, dtype=np.uint8).reshape(records, PIXELS + 1)
    labels = table[:, 0].astype(np.int64)
    if labels.max() > 9:
        first = int(np.argmax(labels > 9))
        raise DataError(f"{name}: image {first} has label {labels[first]}; CIFAR-10 has labels 0 .. 9")
    return table[:, 1:], labels


def parse_archive(
    members: Mapping[str, bytes], name: str, batches: tuple[str, ...], records: int = RECORDS
) -> tuple[UInt8[np.ndarray, "images 3072"], Int[np.ndarray, " images"]]:
    """Images and labels of all `batches` in an archive's `members` (path to bytes).

    **Raises:** `nonlazy.errors.DataError` where a batch is missing or wrong.
    """
    missing = [batch for batch in batches if f"{FOLDER}/{batch}" not in members]
    if missing:
        raise DataError(f"{name}: holds no {', '.join(f'{FOLDER}/{batch}' for batch in missing)}")
    parts = [parse_batch(members[f"{FOLDER}/{b}"], f"{name}: {FOLDER}/{b}", records) for b in batches]
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])
