"""Make the MNIST subset that nonlazy ships: 500 images of each of the digits 0, 1 and 2, training and test apart.

    python tools/make_mnist_subset.py FOLDER

FOLDER holds the four files of MNIST under their official names (train-images-idx3-ubyte.gz and so on). Of the n images
of a digit, those at positions floor(k n / 500), k = 0 .. 499, are taken, in the order of the originals: evenly spaced,
because the first half of the test images was written by other people than the second and is easier to read. The same
originals give the same bytes for one version of zlib.
"""

import argparse
from pathlib import Path

import numpy as np

from nonlazy.tasks._idx import parse_idx, write_idx


DIGITS = (0, 1, 2)
IMAGES_A_DIGIT = 500
SHIPPED = Path(__file__).resolve().parents[1] / "src" / "nonlazy" / "tasks" / "data" / "mnist"


def evenly_spaced(positions: np.ndarray) -> np.ndarray:
    """`IMAGES_A_DIGIT` of `positions`, evenly spaced, the first among them."""
    return positions[np.arange(IMAGES_A_DIGIT) * len(positions) // IMAGES_A_DIGIT]


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the MNIST subset that nonlazy ships.")
    parser.add_argument("folder", type=Path, help="folder with the four files of MNIST")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where to write (default: in the package)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for part in ("train", "t10k"):
        names = f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"
        images = parse_idx((arguments.folder / names[0]).read_bytes(), names[0], dimensions=3)
        labels = parse_idx((arguments.folder / names[1]).read_bytes(), names[1], dimensions=1)
        chosen = np.sort(np.concatenate([evenly_spaced(np.flatnonzero(labels == digit)) for digit in DIGITS]))
        for name, array in zip(names, (images[chosen], labels[chosen]), strict=True):
            content = write_idx(array)
            (arguments.out / name).write_bytes(content)
            print(f"{name}: {len(array)} of digits {DIGITS}, {len(content)} bytes")


if __name__ == "__main__":
    main()
