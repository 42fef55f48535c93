"""MNIST: handwritten digits."""

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal

from nonlazy._machine import cache_folder
from nonlazy.errors import DataError, InvalidInput
from nonlazy.tasks._check import chosen_classes
from nonlazy.tasks._download import RemoteFile, fetch
from nonlazy.tasks._folder import check_source, data_folder, required_folder
from nonlazy.tasks._idx import parse_idx
from nonlazy.tasks._images import Request, build, draw_both
from nonlazy.tasks._pool import Pool
from nonlazy.tasks._preprocess import Preprocess
from nonlazy.tasks._task import Task


Source = Literal["auto", "folder", "embedded", "download"]
DIGITS = tuple("0123456789")
IMAGE_SHAPE = (28, 28)
# Mean and standard deviation of pixel/255 over the 60,000 training images.
CONSTANTS = ((0.1307,), (0.3081,))
IMAGE_FILES = {"train": "train-images-idx3-ubyte.gz", "test": "t10k-images-idx3-ubyte.gz"}
LABEL_FILES = {"train": "train-labels-idx1-ubyte.gz", "test": "t10k-labels-idx1-ubyte.gz"}
EMBEDDED_CLASSES = (0, 1, 2)
LAYOUT = (
    f"MNIST is expected there as mnist/{IMAGE_FILES['train']} and so on: the four files under their official names."
)
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
CHECKSUMS = {
    "train-images-idx3-ubyte.gz": "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


def mnist(
    P: int | None,
    classes: Sequence[int | str] = (0, 1, 2),
    P_test: int | None = 1000,
    y_plus: float | int = 1.0,
    y_minus: float | int = -0.5,
    preprocess: Preprocess | str = "standardize",
    seed: int = 0,
    source: Source | str = "auto",
) -> Task:
    """MNIST digits: P training inputs from the training images, P_test from the test images, drawn by seed.

    Every image of the chosen digits is alike likely, without replacement, so the classes have random sizes, as in the
    paper. Inputs come sorted by class, in the order of `classes`.

    **Arguments:**

    - `P`: number of training inputs; None takes every training image of the chosen digits.
    - `classes`: digits, in the order of the labels: label c is digit `classes[c]`.
    - `P_test`: number of test inputs; None takes all, 0 makes a task without a test set.
    - `y_plus`, `y_minus`: one-hot target of an input's own class, and of the others.
    - `preprocess`: `"standardize"` (the default): (pixel/255 - 0.1307)/0.3081, the mean and standard deviation over all
      60,000 training images, whatever the source, digits and P; `"raw"`: pixel/255; `"unit-norm"`: |x|^2 = N0 for each
      input; `"centre"`: pixel/255 minus its mean over the P training inputs. The paper does not state its own.
    - `seed`: 0 or more. The training draw does not depend on P_test; a smaller P is a part of a larger one.
    - `source`: `"auto"` takes the first of: `"folder"`, where the environment variable NONLAZY_DATA names a folder that
      has a folder `mnist`; `"embedded"`, a subset of 1,500 training and 1,500 test images of the digits 0, 1 and 2 that
      nonlazy ships, where it suffices; `"download"`, the originals from their mirrors, kept in the user's cache folder.
      Sources hold different images, so one seed draws other ones from each: name the source where that matters.

    **Returns:** a `nonlazy.tasks.Task`, N0 = 784, one output a class.

    **Raises:** `nonlazy.errors.InvalidInput` for arguments, `nonlazy.errors.DataError` for files that are missing or
    damaged.

    Source: LeCun, Cortes & Burges; van Meegen & Sompolinsky (2025), Fig. 6 is `mnist(100)`.
    """
    request = Request(P, P_test, y_plus, y_minus, preprocess, seed)
    digits = chosen_classes(classes, DIGITS, "MNIST")
    check_source(source, ("auto", "folder", "embedded", "download"), "MNIST")
    names = tuple(DIGITS[d] for d in digits)
    if source == "embedded" and not set(digits) <= set(EMBEDDED_CLASSES):
        raise InvalidInput(
            f"the subset that nonlazy ships has the digits 0, 1 and 2; {', '.join(names)} were asked for: "
            "choose source='download', or 'folder' with NONLAZY_DATA"
        )
    origin, (train, test) = _pools(source, digits, request)
    drawn = draw_both(request, train, test, digits, names)
    return build(
        request,
        train,
        test,
        drawn,
        class_names=names,
        image_shape=IMAGE_SHAPE,
        constants=CONSTANTS,
        name="MNIST " + "/".join(names) if len(names) < len(DIGITS) else "MNIST",
        provenance={
            "builder": "mnist",
            "arguments": {**request.arguments(), "classes": list(digits), "source": source},
            "source": origin,
            "data": "MNIST; LeCun, Cortes & Burges; CC BY-SA 3.0",
        },
    )


def _pools(source: str, digits: tuple[int, ...], request: Request) -> tuple[str, tuple[Pool, Pool]]:
    folder = required_folder("mnist", LAYOUT) if source == "folder" else None
    if source == "auto":
        folder = data_folder("mnist")
    if folder is not None:
        return f"folder {folder}", _read_pools(lambda name: _from_folder(folder, name))
    if source == "embedded" or (source == "auto" and set(digits) <= set(EMBEDDED_CLASSES)):
        pools = _read_pools(_embedded)
        if source == "embedded" or _suffices(pools, digits, request):
            return "subset that nonlazy ships", pools
    kept = cache_folder() / "mnist"
    return "download, checksum verified", _read_pools(lambda name: _from_cache(kept, name))


def _suffices(pools: tuple[Pool, Pool], digits: tuple[int, ...], request: Request) -> bool:
    wanted = (request.P, request.P_test)
    return all(
        size is not None and size <= pool.positions(digits).size for size, pool in zip(wanted, pools, strict=True)
    )


def _read_pools(read: Callable[[str], tuple[bytes, str]]) -> tuple[Pool, Pool]:
    return _read_pool(read, "train"), _read_pool(read, "test")


def _read_pool(read: Callable[[str], tuple[bytes, str]], part: str) -> Pool:
    """One part; `read` takes a file's official name to its bytes and to what messages call it."""
    image_bytes, image_file = read(IMAGE_FILES[part])
    label_bytes, label_file = read(LABEL_FILES[part])
    images = parse_idx(image_bytes, image_file, dimensions=3)
    labels = parse_idx(label_bytes, label_file, dimensions=1)
    if images.shape[1:] != IMAGE_SHAPE:
        raise DataError(f"{image_file}: images of {images.shape[1]} x {images.shape[2]} pixels; MNIST has 28 x 28")
    if images.shape[0] != labels.shape[0]:
        raise DataError(f"{image_file} holds {images.shape[0]} images, {label_file} {labels.shape[0]} labels")
    if labels.size == 0:
        raise DataError(f"{image_file}: holds no images")
    if labels.max() > 9:
        raise DataError(f"{label_file}: holds the label {labels.max()}; digits are 0 .. 9")
    return Pool.of_arrays(images.reshape(len(images), -1), labels.astype("int64"))


def _from_folder(folder: Path, name: str) -> tuple[bytes, str]:
    path = next((p for p in (folder / name, folder / name.removesuffix(".gz")) if p.is_file()), None)
    if path is None:
        raise DataError(f"{folder} has no {name}. {LAYOUT}")
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _embedded(name: str) -> tuple[bytes, str]:
    return files("nonlazy.tasks").joinpath("data", "mnist", name).read_bytes(), name


def _from_cache(kept: Path, name: str) -> tuple[bytes, str]:
    remote = RemoteFile(name, tuple(mirror + name for mirror in MIRRORS), CHECKSUMS[name])
    advice = (
        "Without a network, put the file into a folder mnist and name its parent in NONLAZY_DATA, or ask for digits "
        "0, 1 and 2 with at most 500 a digit, which nonlazy ships."
    )
    path = fetch(remote, kept, advice)
    return path.read_bytes(), str(path)
