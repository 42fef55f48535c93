"""Layers of PyTorch, Flax NNX and Equinox networks, and of plain functions."""

import numpy as np
import pytest

from nonlazy import codes
from nonlazy.codes._reduction import reduced, said
from nonlazy.errors import InvalidInput


X = np.random.default_rng(7000).normal(size=(23, 6)).astype(np.float32)
IMAGES = np.random.default_rng(7001).normal(size=(9, 2, 5, 4)).astype(np.float32)
TOKENS = np.random.default_rng(7002).normal(size=(7, 3, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def mlp(torch):
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(nn.Linear(6, 11), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(11, 4), nn.Tanh())


def close(one, other):
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_torch_activations_are_those_of_the_forward_pass(torch, mlp):
    mlp.train()
    found = codes.capture(mlp, X, batch_size=10)
    assert mlp.training and mlp[2].training
    assert list(found) == ["1", "4"] and not mlp[1]._forward_hooks
    hidden = np.maximum(X @ mlp[0].weight.detach().numpy().T + mlp[0].bias.detach().numpy(), 0)
    close(found["1"], hidden.T)
    close(found["4"], np.tanh(hidden @ mlp[3].weight.detach().numpy().T + mlp[3].bias.detach().numpy()).T)
    assert found["1"].dtype == np.float32 and found.reductions["1"] == "none"


def test_torch_layers_by_name_and_their_inputs(torch, mlp):
    everything = codes.capture(mlp, torch.tensor(X).double(), layers="*")
    assert list(everything) == ["0", "1", "2", "3", "4", "model"]
    close(everything["model"], everything["4"])
    close(codes.capture(mlp, X, layers=["3"], of="inputs")["3"], everything["1"])
    with pytest.raises(InvalidInput, match="there is no layer 'fc'; the layers are model, 0, 1, 2, 3, 4"):
        codes.capture(mlp, X, layers="fc")


def test_torch_functions_instead_of_modules_leave_the_childless_modules(torch):
    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Linear(6, 5), torch.nn.Linear(5, 5)

        def forward(self, x):
            return self.second(torch.relu(self.second(torch.relu(self.first(x)))))

    network = Network().train(False)
    found = codes.capture(network, X)
    assert list(found) == ["first", "second", "second#2"]
    close(codes.capture(network, X, of="inputs")["second"], np.maximum(found["first"], 0))
    network.train()
    codes.capture(network, X)
    assert network.training


def test_torch_convolutions_are_reduced_over_positions(torch):
    torch.manual_seed(1)
    convolution = torch.nn.Conv2d(2, 3, 2)
    network = torch.nn.Sequential(convolution, torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(36, 2))
    output = np.maximum(convolution(torch.tensor(IMAGES)).detach().numpy(), 0)
    found = codes.capture(network, IMAGES)
    assert found.reductions["1"] == "mean of 4x3 positions"
    close(found["1"], output.mean(axis=(2, 3)).T)
    close(codes.capture(network, IMAGES, reduction="max")["1"], output.max(axis=(2, 3)).T)
    close(codes.capture(network, IMAGES, reduction="flatten")["1"], output.reshape(9, -1).T)
    close(codes.capture(network, IMAGES, channels="last")["1"], output.mean(axis=(1, 2)).T)
    with pytest.raises(InvalidInput, match=r"'first' needs \(tokens, features\)"):
        codes.capture(network, IMAGES, reduction="first")
    line = torch.nn.Conv1d(3, 4, 2)
    close(codes.capture(line, TOKENS)["model"], line(torch.tensor(TOKENS)).detach().numpy().mean(axis=2).T)


def test_torch_transformers_are_reduced_over_tokens(torch):
    torch.manual_seed(2)
    block = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    output = block(torch.tensor(TOKENS)).detach().numpy()
    found = codes.capture(block, TOKENS, layers=["model", "self_attn"])
    close(found["model"], output.mean(axis=1).T)
    assert found["self_attn"].shape == (8, 7)  # its first output, not the attention weights
    close(codes.capture(block, TOKENS, layers="model", reduction="first")["model"], output[:, 0].T)
    close(codes.capture(block, TOKENS, layers="model", reduction="last")["model"], output[:, -1].T)


def test_batches_of_a_loader_and_keywords(torch, mlp):
    expected = codes.capture(mlp, X)
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.arange(23))
    found = codes.capture(mlp, torch.utils.data.DataLoader(data, batch_size=7))
    close(found["1"], expected["1"])
    found = codes.capture(mlp, [{"input": X[:9]}, {"input": X[9:]}])
    close(found["4"], expected["4"])


def test_hooks_and_training_mode_are_restored_after_an_error(torch, mlp):
    mlp.train()
    with pytest.raises(RuntimeError):
        codes.capture(mlp, X[:, :3])
    assert mlp.training and not any(module._forward_hooks for module in mlp.modules())


def test_flax_nnx_modules():
    pytest.importorskip("flax")
    from flax import nnx

    class Network(nnx.Module):
        def __init__(self, rngs):
            self.wide = nnx.Linear(6, 11, rngs=rngs)
            self.drop = nnx.Dropout(0.5, rngs=rngs)
            self.blocks = nnx.List([nnx.Linear(11, 11, rngs=rngs), nnx.Linear(11, 3, rngs=rngs)])

        def __call__(self, x):
            x = self.drop(nnx.relu(self.wide(x)))
            for block in self.blocks:
                x = nnx.relu(block(x))
            return x

    network = Network(nnx.Rngs(0))
    call = nnx.Linear.__call__
    found = codes.capture(network, X, batch_size=10)
    assert list(found) == ["wide", "blocks.0", "blocks.1"]
    assert nnx.Linear.__call__ is call and not network.drop.deterministic
    close(found["wide"], (X @ np.asarray(network.wide.kernel[...]) + np.asarray(network.wide.bias[...])).T)
    inputs = codes.capture(network, X, layers="blocks.*", of="inputs")
    close(inputs["blocks.0"], np.maximum(found["wide"], 0))
    close(codes.capture(network, X, layers="model")["model"], np.maximum(found["blocks.1"], 0))


def test_equinox_modules():
    eqx, jax = pytest.importorskip("equinox"), pytest.importorskip("jax")
    network = eqx.nn.MLP(6, 3, 11, 2, key=jax.random.key(0))
    call = eqx.nn.Linear.__dict__["__call__"]
    found = codes.capture(network, X, layers="layers.*", batch_size=10)
    assert list(found) == ["layers.0", "layers.1", "layers.2"]
    assert eqx.nn.Linear.__dict__["__call__"] is call
    first = X @ np.asarray(network.layers[0].weight).T + np.asarray(network.layers[0].bias)
    close(found["layers.0"], first.T)
    inputs = codes.capture(network, X, layers="layers.1", of="inputs")
    close(inputs["layers.1"], np.maximum(first, 0).T)
    convolution = eqx.nn.Conv2d(2, 3, 2, key=jax.random.key(1))
    found = codes.capture(convolution, IMAGES)
    close(found["model"], np.asarray(jax.vmap(convolution)(IMAGES)).mean(axis=(2, 3)).T)


def test_equinox_layers_inside_another_vmap_are_refused():
    eqx, jax = pytest.importorskip("equinox"), pytest.importorskip("jax")

    class Tokens(eqx.Module):
        linear: eqx.nn.Linear

        def __call__(self, x):
            return jax.vmap(self.linear)(x)

    network = Tokens(eqx.nn.Linear(8, 4, key=jax.random.key(0)))
    with pytest.raises(InvalidInput, match=r"inside another jax\.vmap.*than linear"):
        codes.capture(network, TOKENS)
    close(codes.capture(network, TOKENS, layers="model")["model"].shape, (4, 7))


def test_plain_functions():
    found = codes.capture(lambda batch: {"a": batch[:, :2], "b": batch**2}, X, batch_size=5)
    close(found["a"], X[:, :2].T)
    close(found["b"], X.T**2)
    assert list(codes.capture(lambda batch: {"a": batch, "b": batch}, X, layers="b")) == ["b"]
    assert list(codes.capture(np.tanh, X)) == ["output"]


def test_layers_as_a_table_from_input_to_output():
    rng = np.random.default_rng(7003)
    labels = np.arange(90) % 3
    table = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]])[np.arange(60) % 3]
    layers = {
        "noise": rng.normal(size=(50, 90)),
        "graded": rng.normal(size=(70, 3))[:, labels] + 0.5 * rng.normal(size=(70, 90)),
        "codes": 0.8 * table[:, labels] + 0.1 * rng.normal(size=(60, 90)),
    }
    found = codes.capture(lambda batch: {name: layer.T[batch[:, 0]] for name, layer in layers.items()}, np.c_[:90])
    schemes = found.detect(labels)
    assert [scheme.kind for scheme in schemes.values()] == ["none", "analog", "redundant"]
    lines = str(schemes).splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["noise", "50", "none"],
        ["graded", "70", "analog"],
        ["codes", "60", "redundant"],
    ]
    assert max(map(len, lines)) <= 100 and schemes.table().row_count == 3
    assert schemes.to_dict()["codes"]["kind"] == "redundant"
    same = found.detect(labels, reference=found)
    assert all(scheme.kind == "none" for scheme in same.values())
    with pytest.raises(InvalidInput, match="the reference has no layer graded, codes"):
        found.detect(labels, reference={"noise": layers["noise"]})
    with pytest.raises(InvalidInput, match="layer noise: 3 labels do not fit"):
        found.detect(labels[:3])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.tanh, 3), "data of type int are neither an array nor batches"),
        ((3, X), "a int is no PyTorch, Flax NNX or Equinox module and cannot be called"),
        ((np.tanh, X, None, "weights"), "of is 'weights'"),
        ((np.tanh, X, None, "outputs", "sum"), "reduction 'sum' is not known: choose one of mean"),
        ((np.tanh, X, None, "outputs", "mean", "middle"), "channels is 'middle'"),
        ((np.tanh, X, None, "outputs", "mean", None, 0), "batch_size is 0"),
        ((lambda batch: {}, X), "no layer was called"),
        ((lambda batch: np.array(["a"]), X), "gives no table of numbers"),
    ],
)
def test_what_cannot_be_captured(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        codes.capture(*arguments)


def test_reductions_say_what_they_did():
    assert said((5, 4), "mean", "last") == "none"
    assert said((5, 4, 3, 2), "flatten", "last") == "every unit of 4x3x2"
    assert said((5, 4, 3), "first", "last") == "first of 4 tokens"
    assert reduced(np.arange(5.0), "mean", "last", "x").shape == (5, 1)
