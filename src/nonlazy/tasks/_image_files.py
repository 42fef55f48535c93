"""Image files to pixels, with Pillow."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import UInt8

from nonlazy.errors import DataError, InvalidInput
from nonlazy.tasks._check import fits_in_memory
from nonlazy.tasks._pool import Pool


SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".webp")
# What the suffixes stand for, whatever a file calls itself: Pillow has decoders that start other programs.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "PPM", "WEBP")
# From so many on, which take seconds, a progress bar is shown.
MANY_IMAGES = 5000
# What the largest cameras take; Pillow warns of larger images.
MOST_PIXELS = 1 << 26
# Modes of eight bits a channel, which convert to grey or RGB without clipping.
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")


@dataclass(frozen=True)
class Decoding:
    """How files become pixels.

    **Fields:** `grey`: one channel instead of three. `shape`: `(height, width)` that every image must have. `resize`:
    bring images of another shape to it instead of refusing them.
    """

    grey: bool
    shape: tuple[int, int]
    resize: bool = False

    @property
    def pixels(self) -> int:
        """N0, the numbers in one image."""
        return (1 if self.grey else 3) * self.shape[0] * self.shape[1]


def is_image(name: str) -> bool:
    """Whether a path names an image by its suffix and is not hidden."""
    pure = PurePosixPath(name)
    return pure.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in pure.parts)


def decode(name: str, content: bytes | Path, decoding: Decoding) -> UInt8[np.ndarray, " N0"]:
    """Pixels of one image: row by row, the colour planes red, green and blue one after the other.

    Transparency is dropped; grey images become colour ones and the reverse as `decoding` asks.

    **Raises:** `nonlazy.errors.DataError` where the file is no readable image, has more than eight bits a channel, or
    another shape.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content, formats=FORMATS) as image:
            shape = image.height, image.width
            if shape != decoding.shape and not decoding.resize:
                # Known from the header: nothing that is not wanted is decompressed.
                raise _other_shape(name, shape, decoding)
            image.load()
            mode = image.mode
            if mode in MODES:
                image = image.convert("L" if decoding.grey else "RGB")
                if shape != decoding.shape:
                    image = image.resize((decoding.shape[1], decoding.shape[0]), Image.Resampling.BILINEAR)
            pixels = np.array(image)
    except DataError:
        raise
    # Pillow's decoders raise errors of many kinds on damaged files; all of them mean the same here.
    except Exception as error:
        raise DataError(f"{name}: not a readable image ({error})") from error
    if mode not in MODES:
        raise DataError(f"{name}: has pixels of mode {mode}; images with 8 bits a channel are read, convert it first")
    if pixels.shape[:2] != decoding.shape:
        raise _other_shape(name, pixels.shape, decoding)
    return pixels.ravel() if decoding.grey else pixels.transpose(2, 0, 1).ravel()


def _other_shape(name: str, shape: Sequence[int], decoding: Decoding) -> DataError:
    return DataError(
        f"{name}: is {shape[0]} x {shape[1]} pixels (height x width); "
        f"this task takes {decoding.shape[0]} x {decoding.shape[1]}"
    )


def shape_of(name: str, content: bytes | Path) -> tuple[int, int]:
    """`(height, width)` of an image, from its header.

    **Raises:** `nonlazy.errors.DataError`.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content, formats=FORMATS) as image:
            return image.height, image.width
    except Exception as error:
        raise DataError(f"{name}: not a readable image ({error})") from error


def image_pool(sources: Sequence[tuple[str, bytes | Path]], labels: Sequence[int], decoding: Decoding) -> Pool:
    """A pool whose images are decoded when they are drawn.

    **Arguments:** `sources`: for each image what messages call it, and its bytes or path; `labels`; `decoding`.
    """

    def read(indices):
        from tqdm import tqdm

        fits_in_memory(
            f"{len(indices)} images of {decoding.pixels} numbers each",
            len(indices) * decoding.pixels,
            9,
            "take fewer images (P, P_test) or a smaller size",
        )
        pixels = np.empty((len(indices), decoding.pixels), dtype=np.uint8)
        few = len(indices) < MANY_IMAGES
        for row, index in enumerate(tqdm(indices, "decoding images", disable=few, leave=False, unit="")):
            name, content = sources[index]
            pixels[row] = decode(name, content, decoding)
        return pixels

    return Pool(np.array(labels, dtype=np.int64), read)


def checked_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """`(height, width)` from what the user gave; one number means a square.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or any(isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1 for n in pair):
        raise InvalidInput(f"size is {size!r}: give (height, width) in pixels, or one whole number for a square")
    height, width = int(pair[0]), int(pair[1])
    if height * width > MOST_PIXELS:
        raise InvalidInput(
            f"size is {height} x {width} pixels (height x width): at most {MOST_PIXELS} pixels make one image, as "
            "8192 x 8192; choose a smaller size"
        )
    return height, width
