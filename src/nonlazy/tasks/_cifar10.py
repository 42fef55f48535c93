"""CIFAR-10: small colour photographs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from nonlazy._machine import cache_folder
from nonlazy.errors import DataError
from nonlazy.tasks import _cifar_binary
from nonlazy.tasks._archive import read_members
from nonlazy.tasks._check import chosen_classes
from nonlazy.tasks._download import RemoteFile, fetch
from nonlazy.tasks._folder import check_source, data_folder, required_folder
from nonlazy.tasks._image_files import Decoding, image_pool, is_image
from nonlazy.tasks._images import Request, build, draw_both
from nonlazy.tasks._pool import Pool
from nonlazy.tasks._preprocess import Preprocess
from nonlazy.tasks._task import Task


Source = Literal["auto", "folder", "download"]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
IMAGE_SHAPE = (3, 32, 32)
# Mean and standard deviation of pixel/255 over the 50,000 training images: red, green, blue.
CONSTANTS = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
ORIGINAL = "cifar-10-binary.tar.gz"
JPEG = "cifar10-jpeg.tar.gz"
LAYOUT = f"CIFAR-10 is expected there as cifar10/{ORIGINAL} or cifar10/{JPEG}."
REMOTE = RemoteFile(
    ORIGINAL,
    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)


def cifar10(
    P: int | None,
    classes: Sequence[int | str] = CLASSES,
    P_test: int | None = 1000,
    y_plus: float | int = 1.0,
    y_minus: float | int = -0.1,
    preprocess: Preprocess | str = "standardize",
    seed: int = 0,
    source: Source | str = "auto",
) -> Task:
    """CIFAR-10 photographs: P training inputs from the training images, P_test from the test images, drawn by seed.

    Every image of the chosen classes is alike likely, without replacement. Inputs come sorted by class, in the order of
    `classes`; an input is its red, green and blue plane, one after the other.

    **Arguments:**

    - `P`: number of training inputs; None takes every training image of the chosen classes.
    - `classes`: names such as `"cat"`, or numbers 0 .. 9, in the order of the labels.
    - `P_test`: number of test inputs; None takes all, 0 makes a task without a test set.
    - `y_plus`, `y_minus`: one-hot target of an input's own class, and of the others.
    - `preprocess`: `"standardize"` (the default): (pixel/255 - mean)/deviation of each colour channel, with the means
      0.4914, 0.4822, 0.4465 and the deviations 0.2470, 0.2435, 0.2616 over all 50,000 training images, whatever the
      classes and P; `"raw"`: pixel/255; `"unit-norm"`: |x|^2 = N0 for each input; `"centre"`: pixel/255 minus its mean
      over the P training inputs. The paper does not state its own.
    - `seed`: 0 or more. The training draw does not depend on P_test; a smaller P is a part of a larger one.
    - `source`: `"auto"` takes `"folder"` where the environment variable NONLAZY_DATA names a folder that has a folder
      `cifar10`, with the original archive `cifar-10-binary.tar.gz` or, where that is missing, `cifar10-jpeg.tar.gz`
      (`train/<class>/*.jpg`, `test/<class>/*.jpg`); otherwise `"download"`: the original archive, kept in the user's
      cache folder. Images from JPEG files are not the originals: the provenance has `lossy: "JPEG"`, and the task's
      name says so. One seed draws other images from the one than from the other.

    **Returns:** a `nonlazy.tasks.Task`, N0 = 3072, one output a class. The whole set takes 1.2 GB.

    **Raises:** `nonlazy.errors.InvalidInput` for arguments, `nonlazy.errors.DataError` for files that are missing or
    damaged.

    Source: Krizhevsky (2009); van Meegen & Sompolinsky (2025), Fig. 7 is `cifar10(None)`.
    """
    request = Request(P, P_test, y_plus, y_minus, preprocess, seed)
    chosen = chosen_classes(classes, CLASSES, "CIFAR-10")
    check_source(source, ("auto", "folder", "download"), "CIFAR-10")
    names = tuple(CLASSES[c] for c in chosen)
    origin, lossy, (train, test) = _pools(source)
    drawn = draw_both(request, train, test, chosen, names)
    return build(
        request,
        train,
        test,
        drawn,
        class_names=names,
        image_shape=IMAGE_SHAPE,
        constants=CONSTANTS,
        name="CIFAR-10" + (" " + "/".join(names) if len(names) < len(CLASSES) else "") + (" (JPEG)" if lossy else ""),
        provenance={
            "builder": "cifar10",
            "arguments": {**request.arguments(), "classes": list(names), "source": source},
            "source": origin,
            "data": "CIFAR-10; Krizhevsky 2009",
            **({"lossy": "JPEG"} if lossy else {}),
        },
    )


def _pools(source: str) -> tuple[str, bool, tuple[Pool, Pool]]:
    folder = required_folder("cifar10", LAYOUT) if source == "folder" else None
    if source == "auto":
        folder = data_folder("cifar10")
    if folder is None:
        advice = f"Without a network, put {ORIGINAL} into a folder cifar10 and name its parent in NONLAZY_DATA."
        return "download, checksum verified", False, _original(fetch(REMOTE, cache_folder() / "cifar10", advice))
    if (folder / ORIGINAL).is_file():
        return f"folder {folder}: {ORIGINAL}", False, _original(folder / ORIGINAL)
    if (folder / JPEG).is_file():
        return f"folder {folder}: {JPEG}", True, _from_jpeg(folder / JPEG)
    raise DataError(f"{folder} has neither {ORIGINAL} nor {JPEG}. {LAYOUT}")


def _original(path: Path) -> tuple[Pool, Pool]:
    members = read_members(path, lambda name: name.endswith(".bin"))
    train, test = (
        Pool.of_arrays(*_cifar_binary.parse_archive(members, str(path), batches, _cifar_binary.RECORDS))
        for batches in (_cifar_binary.TRAINING_BATCHES, _cifar_binary.TEST_BATCHES)
    )
    return train, test


def _from_jpeg(path: Path) -> tuple[Pool, Pool]:
    members = read_members(path, is_image)
    pools = []
    for part in ("train", "test"):
        images = [name for name in sorted(members) if name.startswith(f"{part}/") and name.count("/") == 2]
        missing = [c for c in CLASSES if not any(name.startswith(f"{part}/{c}/") for name in images)]
        unknown = sorted({name.split("/")[1] for name in images} - set(CLASSES))
        if missing or unknown:
            what = f"no images in {part}/{missing[0]}" if missing else f"a folder {part}/{unknown[0]}"
            raise DataError(f"{path}: {what}; CIFAR-10 has the classes {', '.join(CLASSES)} in train and test")
        labels = [CLASSES.index(name.split("/")[1]) for name in images]
        sources = [(f"{path}: {name}", members[name]) for name in images]
        pools.append(image_pool(sources, labels, Decoding(grey=False, shape=(32, 32))))
    return pools[0], pools[1]
