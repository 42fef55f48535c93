"""Activations of many makes, in memory and on disk, a few neurons at a time."""

import numpy as np
import pytest
import xarray as xr
import zarr

from nonlazy import codes
from nonlazy.codes import _gram, _source
from nonlazy.codes._signal import class_signal
from nonlazy.errors import InvalidInput
from tests.codes import synthetic_layers as layers


@pytest.fixture(scope="module")
def layer():
    F, labels, *_ = layers.sigmoidal(np.random.default_rng(5100), 60, 60)
    return F.astype(np.float32), labels, codes.detect(F.astype(np.float32), labels)


def same(one, other):
    assert (one.kind, one.rule) == (other.kind, other.rule)
    np.testing.assert_array_equal(one.neuron_codes, other.neuron_codes)
    np.testing.assert_array_equal(one.class_means, other.class_means)


def as_jax(F):
    return pytest.importorskip("jax.numpy").asarray(F)


def as_torch(F):
    torch = pytest.importorskip("torch")
    return torch.tensor(F, requires_grad=True)


def as_zarr(F):
    array = zarr.create_array(zarr.storage.MemoryStore(), shape=F.shape, dtype=F.dtype, chunks=(7, 60))
    array[:] = F
    return array


@pytest.mark.parametrize("make", [as_jax, as_torch, as_zarr, xr.DataArray, np.asfortranarray, lambda F: F.tolist()])
def test_makes_of_arrays(layer, make):
    F, labels, scheme = layer
    same(codes.detect(make(F), labels), scheme)


def test_half_precision_tensors(layer):
    torch = pytest.importorskip("torch")
    F, labels, scheme = layer
    found = codes.detect(torch.tensor(F).bfloat16(), torch.tensor(labels))
    np.testing.assert_array_equal(found.neuron_codes, scheme.neuron_codes)


def test_named_dimensions_are_put_in_order(layer):
    F, labels, scheme = layer
    same(codes.detect(xr.DataArray(F.T, dims=("input", "neuron")), xr.DataArray(labels, dims="input")), scheme)


def test_labels_of_a_data_frame_are_names(layer):
    F, labels, _ = layer
    names = np.array(["cat", "dog", "eel"], dtype=object)[labels]
    assert codes.detect(F, names).classes == ("cat", "dog", "eel")


@pytest.mark.parametrize("step", [1, 7, 60])
def test_chunks_change_nothing(layer, monkeypatch, tmp_path, step):
    F, labels, scheme = layer
    np.save(tmp_path / "F.npy", F)
    monkeypatch.setattr(_source, "CHUNK_BYTES", step * 8 * 60)
    mapped = np.load(tmp_path / "F.npy", mmap_mode="r")
    assert _source.as_layer(mapped).step == step
    found = codes.detect(mapped, labels)
    assert found.kind == scheme.kind
    np.testing.assert_array_equal(found.neuron_codes, scheme.neuron_codes)
    np.testing.assert_allclose(found.class_means, scheme.class_means, rtol=1e-12)
    np.testing.assert_allclose(found.collapse.nc1, scheme.collapse.nc1, rtol=1e-9)


def test_chunks_on_disk_are_read_whole():
    F = np.zeros((40, 30))
    stored = zarr.create_array(zarr.storage.MemoryStore(), shape=F.shape, dtype=F.dtype, chunks=(8, 30))
    assert _source.as_layer(stored).step == 40
    large = zarr.create_array(zarr.storage.MemoryStore(), shape=(10**6, 1000), dtype="f4", chunks=(1000, 1000))
    assert _source.as_layer(large).step == 4000


def test_values_that_are_not_finite_are_found_in_any_chunk(monkeypatch):
    F = np.random.default_rng(5101).normal(size=(50, 30))
    F[33, 4] = np.inf
    F[34, 5] = -np.inf
    monkeypatch.setattr(_source, "CHUNK_BYTES", 20 * 8 * 30)
    with pytest.raises(
        InvalidInput, match=r"2 values that are not finite among neurons 20 to 39, .* neuron 33, input 4"
    ):
        codes.detect(F, np.arange(30) % 2)


@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kept", [True, False])
def test_gram_of_a_large_layer_is_estimated(monkeypatch, shared, kept):
    rng = np.random.default_rng(5102)
    R = np.sqrt(shared) * rng.normal(size=(2000, 1)) @ rng.normal(size=(1, 1500))
    R = R + np.sqrt(1 - shared) * rng.normal(size=(2000, 1500)) * 1e-8 ** (shared == 1)
    exact = np.sum((R.T @ R) ** 2)
    if kept:
        monkeypatch.setattr(_gram, "EXACT", 1400)
        R = R[:1400]
        exact = np.sum((R @ R.T) ** 2)
    gram = _gram.GramSquare(*R.shape)
    for start in range(0, len(R), 300):
        gram.add(R[start : start + 300] * (1 + (start > 0)))
    assert gram.value() > exact
    gram = _gram.GramSquare(*R.shape)
    for start in range(0, len(R), 300):
        gram.add(R[start : start + 300])
    # Three standard errors at worst; the sketch's signs are always the same.
    assert abs(gram.value() / exact - 1) < (1e-5 if kept else 3 * (0.09 if shared else 0.002))


def test_constant_neurons_have_no_class_means_of_rounding():
    F = np.random.default_rng(5103).normal(size=(5, 30))
    F[2] = 0.1
    signal = class_signal(F, np.arange(30) % 3)
    assert list(signal.constant) == [False, False, True, False, False]
    assert not signal.offsets[2].any() and signal.total[2] == 0
