"""
Trains a transformer of one block on scikit-learn's digits, eight rows of eight pixels as eight tokens, in numpy with one
seed, and adds it to digits.json, which train.py has written. Needs what train.py needs.

    .venv/bin/python packages/zkml/models/trainTransformer.py
"""

import json

import numpy as np
import onnxruntime

from train import HERE, Dense, export, load_rows, softmax_gradient, train

TOKENS, FEATURES, HEADS, HIDDEN = 8, 32, 4, 64


class Tokens(Dense):
    """A dense layer of each token's features."""

    def forward(self, x):
        out = super().forward(x.reshape(-1, x.shape[-1]))
        self.shape = x.shape
        return out.reshape(*x.shape[:-1], -1)

    def backward(self, grad):
        return super().backward(grad.reshape(-1, grad.shape[-1]))

    def export(self, graph, name):
        return graph.node("Add", [graph.node("MatMul", [name, graph.constant(self.params[0])]), graph.constant(self.params[1])])


class Positions:
    def __init__(self, random):
        self.params = [(0.3 * random.standard_normal((1, TOKENS, FEATURES))).astype(np.float32)]

    def forward(self, x):
        return x + self.params[0]

    def backward(self, grad):
        self.grads = [grad.sum(0, keepdims=True)]
        return grad

    def export(self, graph, name):
        return graph.node("Add", [name, graph.constant(self.params[0])])


class Normalise:
    def __init__(self):
        self.params = [np.ones(FEATURES, np.float32), np.zeros(FEATURES, np.float32)]

    def forward(self, x):
        centred = x - x.mean(-1, keepdims=True)
        self.inverse = 1 / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        self.normal = centred * self.inverse
        return self.normal * self.params[0] + self.params[1]

    def backward(self, grad):
        self.grads = [(grad * self.normal).sum((0, 1)), grad.sum((0, 1))]
        g = grad * self.params[0]
        return self.inverse * (g - g.mean(-1, keepdims=True) - self.normal * (g * self.normal).mean(-1, keepdims=True))

    def export(self, graph, name):
        return graph.node("LayerNormalization", [name, *[graph.constant(p) for p in self.params]], axis=-1)


class Gelu:
    params = []
    SLOPE = np.float32(np.sqrt(2 / np.pi))

    def forward(self, x):
        self.x, self.t = x, np.tanh(self.SLOPE * (x + 0.044715 * x**3))
        return x / 2 * (1 + self.t)

    def backward(self, grad):
        inner = self.SLOPE * (1 + 3 * 0.044715 * self.x**2)
        return grad * ((1 + self.t) / 2 + self.x / 2 * (1 - self.t**2) * inner)

    def export(self, graph, name):
        return graph.node("Gelu", [name], approximate="tanh")


class Attention:
    """Queries, keys and values of all heads, their mixture, and a dense layer behind it."""

    def __init__(self, random):
        self.parts = [Tokens(random, FEATURES, FEATURES) for _ in range(4)]
        self.params = [p for part in self.parts for p in part.params]

    @staticmethod
    def split(x):
        return x.reshape(len(x), TOKENS, HEADS, -1).transpose(0, 2, 1, 3)

    @staticmethod
    def join(x):
        return x.transpose(0, 2, 1, 3).reshape(len(x), TOKENS, FEATURES)

    def forward(self, x):
        self.q, self.k, self.v = [self.split(part.forward(x)) for part in self.parts[:3]]
        scores = self.q @ self.k.swapaxes(-1, -2) / np.sqrt(FEATURES / HEADS)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        self.p = p / p.sum(-1, keepdims=True)
        return self.parts[3].forward(self.join(self.p @ self.v))

    def backward(self, grad):
        mixed = self.split(self.parts[3].backward(grad))
        p = mixed @ self.v.swapaxes(-1, -2)
        scores = self.p * (p - (p * self.p).sum(-1, keepdims=True)) / np.sqrt(FEATURES / HEADS)
        heads = [scores @ self.k, scores.swapaxes(-1, -2) @ self.q, self.p.swapaxes(-1, -2) @ mixed]
        back = sum(part.backward(self.join(g).astype(np.float32)) for part, g in zip(self.parts, heads))
        self.grads = [g for part in self.parts for g in part.grads]
        return back

    def export(self, graph, name):
        shape = graph.constant(np.array([0, TOKENS, HEADS, FEATURES // HEADS], dtype=np.int64))
        q, k, v = [
            graph.node("Transpose", [graph.node("Reshape", [part.export(graph, name), shape])], perm=perm)
            for part, perm in zip(self.parts, [[0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]])
        ]
        root = graph.constant(np.array(np.sqrt(FEATURES / HEADS), dtype=np.float32))
        scores = graph.node("Softmax", [graph.node("Div", [graph.node("MatMul", [q, k]), root])], axis=-1)
        mixed = graph.node("Transpose", [graph.node("MatMul", [scores, v])], perm=[0, 2, 1, 3])
        joined = graph.constant(np.array([0, TOKENS, FEATURES], dtype=np.int64))
        return self.parts[3].export(graph, graph.node("Reshape", [mixed, joined]))


class Residual:
    def __init__(self, *layers):
        self.layers = layers
        self.params = [p for layer in layers for p in layer.params]

    def forward(self, x):
        out = x
        for layer in self.layers:
            out = layer.forward(out)
        return x + out

    def backward(self, grad):
        back = grad
        for layer in reversed(self.layers):
            back = layer.backward(back)
        self.grads = [g for layer in self.layers for g in (layer.grads if layer.params else [])]
        return grad + back

    def export(self, graph, name):
        out = name
        for layer in self.layers:
            out = layer.export(graph, out)
        return graph.node("Add", [name, out])


class Mean:
    """Over the tokens."""

    params = []

    def forward(self, x):
        return x.mean(1)

    def backward(self, grad):
        return np.repeat(grad[:, None, :] / TOKENS, TOKENS, 1)

    def export(self, graph, name):
        return graph.node("ReduceMean", [name, graph.constant(np.array([1], dtype=np.int64))], keepdims=0)


def main():
    train_x, train_y, test_x, _ = load_rows()
    random = np.random.default_rng(11)
    layers = [
        Tokens(random, 8, FEATURES),
        Positions(random),
        Residual(Normalise(), Attention(random)),
        Residual(Normalise(), Tokens(random, FEATURES, HIDDEN), Gelu(), Tokens(random, HIDDEN, FEATURES)),
        Normalise(),
        Mean(),
        Dense(random, FEATURES, 10),
    ]
    scaled = (train_x / 16).astype(np.float32).reshape(-1, TOKENS, 8)
    train(layers, scaled, train_y, softmax_gradient, 60, 2e-3, random)
    name = "digits-transformer-9k"
    out = export(name, layers, np.zeros(1), np.array([16.0]), [TOKENS, 8], None, test_x, opset=20)
    place = HERE / "digits.json"
    data = json.loads(place.read_text())
    known = data["onnxruntime"]
    assert known["version"] == onnxruntime.__version__, "digits.json is of another onnxruntime: run train.py first"
    known["outputs"][name] = np.round(out[:20].astype(float), 6).tolist()
    known["decisions"][name] = out.argmax(1).tolist()
    place.write_text(json.dumps(data, separators=(",", ":")) + "\n")
    print(f"{name}: {100 * np.mean(out.argmax(1) == np.array(data['labels'])):.1f} % right", flush=True)


main()
