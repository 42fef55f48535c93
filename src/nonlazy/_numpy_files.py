"""What a file is that is to hold arrays of NumPy, said before NumPy takes it for a pickle."""

from typing import BinaryIO, Literal


_PICKLED = "it holds Python objects (pickles), which nonlazy never loads: store plain numbers"
_ARRAY = b"\x93NUMPY"
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06")


def numpy_format(stream: BinaryIO) -> Literal["npy", "npz"] | None:
    """Whether a file begins as a .npy or a .npz file does; None for neither. The stream is put back to its start."""
    begin = stream.read(len(_ARRAY))
    stream.seek(0)
    if begin == _ARRAY:
        return "npy"
    return "npz" if begin[:4] in _ARCHIVES else None


def numpy_fault(error: Exception) -> str:
    """What is wrong with a file that NumPy refused: in our words where it speaks of pickles."""
    said = str(error) or type(error).__name__
    objects = "allow_pickle" in said or "Python objects" in said
    return _PICKLED if objects else said
