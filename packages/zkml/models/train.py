"""
Trains the example models on real and on generated data, and exports them to ONNX. One seed, one thread: it repeats.

    python3 -m venv .venv
    .venv/bin/pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1 scikit-learn==1.9.1
    OPENBLAS_NUM_THREADS=1 .venv/bin/python packages/zkml/models/train.py [--small]

digits: the 1,797 handwritten digits of 8 × 8 pixels that scikit-learn ships (Alpaydin and Kaynak, Optical Recognition of
Handwritten Digits, UCI, CC BY 4.0). payments: 24 features of made-up card payments, about one in seven fraudulent, by a
hidden rule with noise. Each data file holds inputs to calibrate on (from the training half), and inputs with labels that
training never saw, with what onnxruntime answers for each model. --small leaves out the models of 1M and 4M parameters,
which are too large for the repository.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

HERE = pathlib.Path(__file__).parent
CALIBRATE, TEST = 256, 500


class Dense:
    def __init__(self, random, fan_in, units):
        self.params = [
            (random.standard_normal((fan_in, units)) * np.sqrt(2 / fan_in)).astype(np.float32),
            np.zeros(units, np.float32),
        ]

    def forward(self, x):
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        return self.x @ self.params[0] + self.params[1]

    def backward(self, grad):
        self.grads = [self.x.T @ grad, grad.sum(0)]
        return (grad @ self.params[0].T).reshape(self.shape)

    def export(self, graph, name):
        if len(self.shape) > 2:
            name = graph.node("Flatten", [name])
        return graph.node("Gemm", [name, graph.constant(self.params[0].T.copy()), graph.constant(self.params[1])], transB=1)


class Conv:
    """3 × 3, a border of zeros, stride 1."""

    def __init__(self, random, channels, units):
        self.params = [
            (random.standard_normal((units, channels, 3, 3)) * np.sqrt(2 / (9 * channels))).astype(np.float32),
            np.zeros(units, np.float32),
        ]

    def forward(self, x):
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        self.size = x.shape
        self.columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, x.shape[1] * 9)
        out = self.columns @ self.params[0].reshape(len(self.params[1]), -1).T + self.params[1]
        return out.reshape(len(x), *x.shape[2:], -1).transpose(0, 3, 1, 2)

    def backward(self, grad):
        flat = grad.transpose(0, 2, 3, 1).reshape(-1, grad.shape[1])
        self.grads = [(flat.T @ self.columns).reshape(self.params[0].shape), flat.sum(0)]
        n, c, h, w = self.size
        columns = (flat @ self.params[0].reshape(len(self.params[1]), -1)).reshape(n, h, w, c, 3, 3)
        back = np.zeros((n, c, h + 2, w + 2), np.float32)
        for ky in range(3):
            for kx in range(3):
                back[:, :, ky : ky + h, kx : kx + w] += columns[..., ky, kx].transpose(0, 3, 1, 2)
        return back[:, :, 1:-1, 1:-1]

    def export(self, graph, name):
        weights = [graph.constant(p) for p in self.params]
        return graph.node("Conv", [name, *weights], pads=[1, 1, 1, 1])


class Relu:
    params = []

    def forward(self, x):
        self.on = x > 0
        return x * self.on

    def backward(self, grad):
        return grad * self.on

    def export(self, graph, name):
        return graph.node("Relu", [name])


class MaxPool:
    """2 × 2, stride 2."""

    params = []

    def forward(self, x):
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2)
        out = blocks.max((3, 5), keepdims=True)
        self.won = blocks == out
        return out[:, :, :, 0, :, 0]

    def backward(self, grad):
        back = self.won * grad[:, :, :, None, :, None]
        n, c, h, _, w, _ = back.shape
        return back.reshape(n, c, 2 * h, 2 * w)

    def export(self, graph, name):
        return graph.node("MaxPool", [name], kernel_shape=[2, 2], strides=[2, 2])


class Graph:
    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, value):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, op, inputs, **attributes):
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def save(self, path, shape, output, opset=17):
        graph = helper.make_graph(
            self.nodes,
            path.stem,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", "scores"])],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString())


def train(layers, x, y, loss_gradient, epochs, rate, random):
    """Adam with weight decay, batches of 64."""
    state = {id(layer): [[np.zeros_like(p), np.zeros_like(p)] for p in layer.params] for layer in layers}
    step = 0
    for _ in range(epochs):
        order = random.permutation(len(x))
        for start in range(0, len(x), 64):
            batch = order[start : start + 64]
            out = x[batch]
            for layer in layers:
                out = layer.forward(out)
            grad = loss_gradient(out, y[batch]).astype(np.float32)
            for layer in reversed(layers):
                grad = layer.backward(grad)
            step += 1
            for layer in layers:
                for at, param in enumerate(layer.params):
                    mean, square = state[id(layer)][at]
                    mean += 0.1 * (layer.grads[at] - mean)
                    square += 0.001 * (layer.grads[at] ** 2 - square)
                    scale = rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                    param -= scale * mean / (np.sqrt(square) + 1e-8) + rate * 1e-2 * param


def softmax_gradient(out, labels):
    p = np.exp(out - out.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    return p / len(labels)


def sigmoid_gradient(out, labels):
    return (1 / (1 + np.exp(-out)) - labels[:, None]) / len(labels)


def count(layers):
    return sum(p.size for layer in layers for p in layer.params)


def export(name, layers, centre, spread, shape, final, tests, opset=17):
    graph = Graph()
    h = "x"
    if np.any(centre != 0):
        h = graph.node("Sub", [h, graph.constant(centre.astype(np.float32))])
    h = graph.node("Div", [h, graph.constant(spread.astype(np.float32))])
    for layer in layers:
        h = layer.export(graph, h)
    if final is not None:
        h = graph.node(final, [h])
    path = HERE / f"{name}.onnx"
    graph.save(path, shape, h, opset)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {"x": tests.astype(np.float32).reshape(-1, *shape)})[0]
    print(f"{name}: {count(layers)} parameters, {path.stat().st_size} bytes", flush=True)
    return outputs


def perceptron(random, sizes):
    layers = []
    for fan_in, units in zip(sizes, sizes[1:]):
        layers += [Dense(random, fan_in, units), Relu()]
    return layers[:-1]


def load_rows():
    """Rows of scikit-learn's digits in an order of our own, those of the test last."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(7).permutation(len(x))
    x, y = x[order], y[order]
    return x[:-TEST], y[:-TEST], x[-TEST:], y[-TEST:]


def digits(small):
    train_x, train_y, test_x, test_y = load_rows()
    scaled = (train_x / 16).astype(np.float32)
    plans = [
        ("digits-mlp-17k", [64, 128, 64, 10], 30, 2e-3),
        ("digits-mlp-100k", [64, 256, 256, 64, 10], 25, 1e-3),
        ("digits-mlp-1m", [64, 768, 768, 512, 10], 15, 5e-4),
        ("digits-mlp-4m", [64, 1536, 1536, 1024, 10], 12, 3e-4),
    ]
    outputs = {}
    for name, sizes, epochs, rate in plans[: 2 if small else None]:
        random = np.random.default_rng(11)
        layers = perceptron(random, sizes)
        train(layers, scaled, train_y, softmax_gradient, epochs, rate, random)
        outputs[name] = export(name, layers, np.zeros(1), np.array([16.0]), [64], None, test_x)
    random = np.random.default_rng(11)
    layers = [Conv(random, 1, 32), Relu(), Conv(random, 32, 64), Relu(), MaxPool()]
    layers += [Dense(random, 1024, 240), Relu(), Dense(random, 240, 10)]
    train(layers, scaled.reshape(-1, 1, 8, 8), train_y, softmax_gradient, 12, 1e-3, random)
    name = "digits-cnn-267k"
    outputs[name] = export(name, layers, np.zeros(1), np.array([16.0]), [1, 8, 8], None, test_x)
    save("digits", train_x[:CALIBRATE].astype(int), test_x.astype(int), test_y, outputs)


def payments():
    """Amounts and habits of a card, the shop, the place and the hour; fraud is a mixture of three patterns and noise."""
    random = np.random.default_rng(3)
    n = 12_000
    amount = random.lognormal(3.5, 1.2, n)
    usual = random.lognormal(3.5, 0.6, n)
    hour = random.integers(0, 24, n)
    age = random.exponential(900, n)
    distance = random.exponential(40, n) * random.choice([1, 12], n, p=[0.9, 0.1])
    velocity = random.poisson(1.5, n) + random.choice([0, 9], n, p=[0.95, 0.05])
    shop = random.beta(2, 8, n)
    online = random.integers(0, 2, n)
    failed = random.poisson(0.2, n)
    abroad = random.binomial(1, 0.06, n)
    others = random.standard_normal((n, 14)) * random.uniform(0.1, 50, 14) + random.uniform(-20, 200, 14)
    takeover = 2.2 * (amount > 4 * usual) + 1.4 * (distance > 150) + 1.1 * abroad
    testing = 1.8 * (velocity > 7) * (amount < 25) + 1.3 * failed
    night = 1.2 * online * ((hour < 5) | (hour > 22)) * (shop > 0.25) - 0.6 * (age > 1500)
    chance = 1 / (1 + np.exp(-3 * (takeover + testing + night - 2.2)))
    y = (random.random(n) < chance).astype(int)
    x = np.column_stack([amount, usual, hour, age, distance, velocity, shop, online, failed, abroad, others])
    x = np.round(x, 3)
    centre, spread = x[:-TEST].mean(0), x[:-TEST].std(0)
    layers = perceptron(random, [24, 64, 32, 1])
    train(layers, ((x[:-TEST] - centre) / spread).astype(np.float32), y[:-TEST], sigmoid_gradient, 20, 1e-3, random)
    outputs = {"payments-mlp-4k": export("payments-mlp-4k", layers, centre, spread, [24], "Sigmoid", x[-TEST:])}
    save("payments", x[:CALIBRATE], x[-TEST:], y[-TEST:], outputs)


def save(name, calibrate, inputs, labels, outputs):
    """Outputs of onnxruntime are kept for the first 20 inputs; decisions for all."""
    data = {
        "calibrate": calibrate.tolist(),
        "inputs": inputs.tolist(),
        "labels": labels.tolist(),
        "onnxruntime": {
            "version": onnxruntime.__version__,
            "outputs": {model: np.round(out[:20].astype(float), 6).tolist() for model, out in outputs.items()},
            "decisions": {
                model: (out.argmax(1) if out.shape[1] > 1 else (out[:, 0] > 0.5).astype(int)).tolist()
                for model, out in outputs.items()
            },
        },
    }
    (HERE / f"{name}.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")
    for model, decisions in data["onnxruntime"]["decisions"].items():
        print(f"{model}: {100 * np.mean(np.array(decisions) == labels):.1f} % right of {len(labels)}", flush=True)


if __name__ == "__main__":
    digits("--small" in sys.argv)
    payments()
