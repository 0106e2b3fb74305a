"""
Writes vectors/onnx.json: small ONNX models of every operator that the compiler takes, inputs for them, and the outputs
that onnxruntime gives. The tests hold the compiler to those without needing Python.

    python3 -m venv .venv && .venv/bin/pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
    .venv/bin/python packages/zkml/scripts/makeOnnxVectors.py
"""

import base64
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

random = np.random.default_rng(1)
SAMPLES = 8


def weights(*shape):
    fan_in = int(np.prod(shape[1:])) or 1
    return (random.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)


class Graph:
    """Nodes and initializers, collected line by line."""

    def __init__(self, shape, opset=17):
        self.shape, self.opset = shape, opset
        self.nodes, self.initializers, self.count = [], [], 0

    def constant(self, value):
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def __call__(self, op, *inputs, **attributes):
        self.count += 1
        out = f"t{self.count}"
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        self.nodes.append(helper.make_node(op, names, [out], name=f"{op}_{self.count}", **attributes))
        return out

    def model(self, output):
        graph = helper.make_graph(
            self.nodes,
            "vectors",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", "values"])],
            self.initializers,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


def ints(*values):
    return np.array(values, dtype=np.int64)


def scalar(value):
    return np.array(value, dtype=np.float32)


CASES = {}


def case(name, shape, opset=17):
    def register(build):
        graph = Graph(["batch", *shape], opset)
        model = graph.model(build(graph, "x"))
        CASES[name] = (model, shape)

    return register


def dense_after(g, t, values, units=5):
    return g("Gemm", g("Flatten", t), weights(units, values), weights(units, 1)[:, 0], transB=1)


@case("Gemm with every attribute, ReLU, Gemm", [12])
def _(g, x):
    h = g("Relu", g("Gemm", x, weights(12, 20), weights(20, 1)[:, 0], alpha=0.7, beta=1.5))
    return g("Gemm", h, weights(4, 20), transB=1)


@case("MatMul and Add, Softmax at the end", [9])
def _(g, x):
    h = g("Relu", g("Add", g("MatMul", x, weights(16, 9).T.copy()), weights(16, 1)[:, 0]))
    return g("Softmax", g("Add", g("MatMul", h, weights(3, 16).T.copy()), weights(3, 1)[:, 0]), axis=-1)


@case("one layer alone, Sigmoid at the end", [7])
def _(g, x):
    return g("Sigmoid", g("Gemm", x, weights(1, 7), weights(1, 1)[:, 0], transB=1))


@case("standardised input: Sub, Div, then layers", [6])
def _(g, x):
    scales = np.array([1, 10, 100, 0.1, 5, 50], dtype=np.float32)
    h = g("Div", g("Sub", g("Mul", x, scales), scales), scales)
    return g("Gemm", g("Relu", g("Gemm", h, weights(8, 6), transB=1)), weights(2, 8), transB=1)


for pads, strides in [([1, 1, 1, 1], [1, 1]), ([0, 1, 1, 0], [2, 2])]:

    @case(f"Conv, pads {pads}, strides {strides}, BatchNormalization, ReLU, MaxPool", [3, 9, 8])
    def _(g, x, pads=pads, strides=strides):
        h = g("Conv", x, weights(6, 3, 3, 3), weights(6, 1)[:, 0], pads=pads, strides=strides)
        stats = [np.abs(weights(6, 1)[:, 0]) + 0.5 for _ in range(4)]
        h = g("Relu", g("BatchNormalization", h, *stats))
        h = g("MaxPool", h, kernel_shape=[2, 2], strides=[2, 2])
        size = 6 * 4 * 4 if strides == [1, 1] else 6 * 2 * 2
        return dense_after(g, h, size)


@case("depthwise and pointwise Conv with Clip to 6", [4, 8, 8])
def _(g, x):
    h = g("Clip", g("Conv", x, weights(4, 1, 3, 3), weights(4, 1)[:, 0], group=4, pads=[1, 1, 1, 1]), scalar(0), scalar(6))
    h = g("Clip", g("Conv", h, weights(8, 4, 1, 1), weights(8, 1)[:, 0]), scalar(0), scalar(6))
    return dense_after(g, g("GlobalAveragePool", h), 8)


@case("Conv in groups of three channels", [6, 5, 5])
def _(g, x):
    h = g("Relu", g("Conv", x, weights(4, 3, 2, 2), weights(4, 1)[:, 0], group=2))
    return dense_after(g, h, 64)


@case("Conv in groups of two channels, SAME_UPPER", [4, 7, 6])
def _(g, x):
    h = g("Relu", g("Conv", x, weights(4, 2, 2, 2), group=2, strides=[2, 2], auto_pad="SAME_UPPER"))
    return dense_after(g, h, 4 * 4 * 3)


@case("dilated Conv", [2, 9, 9])
def _(g, x):
    return dense_after(g, g("Relu", g("Conv", x, weights(3, 2, 3, 3), dilations=[2, 3])), 3 * 5 * 3)


@case("Conv over a length, AveragePool over it", [3, 20])
def _(g, x):
    h = g("Relu", g("Conv", x, weights(5, 3, 4), weights(5, 1)[:, 0], pads=[1, 2], strides=[2]))
    return dense_after(g, g("AveragePool", h, kernel_shape=[3], strides=[2]), 5 * 4)


@case("residual Add of a branch, Sub of another", [4, 6, 6])
def _(g, x):
    a = g("Relu", g("Conv", x, weights(4, 4, 3, 3), pads=[1, 1, 1, 1]))
    b = g("Conv", a, weights(4, 4, 3, 3), weights(4, 1)[:, 0], pads=[1, 1, 1, 1])
    c = g("Relu", g("Add", a, b))
    return dense_after(g, g("Sub", c, b), 144)


@case("ReLU of a tensor that is read twice", [10])
def _(g, x):
    a = g("Gemm", x, weights(10, 10), transB=1)
    return g("Gemm", g("Add", g("Relu", a), a), weights(3, 10), transB=1)


@case("LeakyRelu, PRelu, Neg, products by constants", [3, 5, 5])
def _(g, x):
    h = g("LeakyRelu", g("Conv", x, weights(4, 3, 3, 3)), alpha=0.1)
    h = g("PRelu", g("Conv", h, weights(4, 4, 1, 1)), np.array([0.25], dtype=np.float32).reshape(1, 1, 1))
    h = g("Mul", g("Neg", h), weights(4, 1, 1))
    return dense_after(g, g("Div", g("Mul", h, scalar(3)), scalar(0.5)), 36)


@case("MaxPool padded behind a ReLU, AveragePool padded", [3, 9, 9])
def _(g, x):
    h = g("Relu", g("Conv", x, weights(4, 3, 3, 3), pads=[1, 1, 1, 1]))
    h = g("MaxPool", h, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    h = g("AveragePool", h, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1], count_include_pad=1)
    return dense_after(g, h, 100)


@case("a MaxPool window of 25 values, a global maximum of 7 × 19", [2, 11, 23])
def _(g, x):
    h = g("MaxPool", x, kernel_shape=[5, 5], strides=[1, 1])
    return dense_after(g, g("GlobalMaxPool", h), 2)


@case("ReduceMean of the image, LogSoftmax", [5, 4, 4], 18)
def _(g, x):
    h = g("ReduceMean", g("Relu", g("Conv", x, weights(6, 5, 1, 1))), ints(2, 3), keepdims=0)
    return g("LogSoftmax", g("Gemm", h, weights(4, 6), transB=1), axis=1)


@case("a pool at the end", [5, 4, 4])
def _(g, x):
    return g("Flatten", g("GlobalAveragePool", g("Conv", x, weights(6, 5, 3, 3), weights(6, 1)[:, 0])))


@case("an image reshaped from a vector, and shape arithmetic", [48])
def _(g, x):
    h = g("Relu", g("Conv", g("Reshape", x, ints(-1, 3, 4, 4)), weights(4, 3, 3, 3)))
    batch = g("Unsqueeze", g("Gather", g("Shape", h), np.array(0, dtype=np.int64), axis=0), ints(0))
    h = g("Reshape", g("Identity", h), g("Concat", batch, ints(-1), axis=0))
    return g("Gemm", h, weights(3, 16), transB=1)


@case("an input with channels last, transposed, and normalised a channel", [6, 5, 3])
def _(g, x):
    h = g("Transpose", g("Sub", g("Mul", x, scalar(2)), np.array([0.1, 0.2, 0.3], dtype=np.float32)), perm=[0, 3, 1, 2])
    h = g("Relu", g("Conv", h, weights(4, 3, 3, 3)))
    return g("Gemm", g("Flatten", g("Transpose", h, perm=[0, 2, 3, 1])), weights(3, 48), transB=1)


@case("BatchNormalization that follows a ReLU, Dropout, Squeeze", [6, 3, 3])
def _(g, x):
    h = g("Relu", g("Conv", x, weights(5, 6, 3, 3)))
    stats = [np.abs(weights(5, 1)[:, 0]) + 0.5 for _ in range(4)]
    h = g("Squeeze", g("Dropout", g("BatchNormalization", h, *stats)), ints(2, 3))
    return g("Relu", g("Gemm", h, weights(4, 5), transB=1))


@case("Pad, then a Conv; bounds as attributes", [2, 5, 5], 10)
def _(g, x):
    h = g("Pad", x, pads=[0, 0, 1, 2, 0, 0, 0, 1])
    return dense_after(g, g("Clip", g("Conv", h, weights(3, 2, 3, 3)), min=-0.5, max=1.5), 3 * 4 * 6)


@case("GELU spelled out with Erf, SiLU, Tanh, their sums with what they read", [16])
def _(g, x):
    h = g("Gemm", x, weights(16, 16), weights(16, 1)[:, 0], transB=1)
    gelu = g("Mul", g("Mul", h, g("Add", g("Erf", g("Div", h, scalar(np.sqrt(2)))), scalar(1))), scalar(0.5))
    h = g("Gemm", gelu, weights(12, 16), transB=1)
    h = g("Add", g("Mul", h, g("Sigmoid", h)), h)
    h = g("Tanh", g("Gemm", h, weights(8, 12), transB=1))
    return g("Gemm", g("Sub", scalar(1), h), weights(3, 8), transB=1)


@case("HardSwish, HardSigmoid, Elu, Softplus over images, Pow of the input", [2, 6, 6])
def _(g, x):
    h = g("HardSwish", g("Conv", g("Pow", x, scalar(2)), weights(4, 2, 3, 3)))
    h = g("Elu", g("Conv", h, weights(4, 4, 1, 1)), alpha=0.7)
    h = g("Relu", g("Sub", g("Softplus", g("HardSigmoid", h, alpha=0.3)), scalar(0.9)))
    return dense_after(g, h, 64)


@case("a Tanh at the end", [6])
def _(g, x):
    return g("Tanh", g("Gemm", g("Relu", g("Gemm", x, weights(9, 6), transB=1)), weights(2, 9), transB=1))


@case("Gelu as an operator", [7], 20)
def _(g, x):
    h = g("Gelu", g("Gemm", x, weights(9, 7), transB=1))
    return g("Gemm", g("Gelu", g("Gemm", h, weights(9, 9), transB=1), approximate="tanh"), weights(2, 9), transB=1)


@case("an input normalised a channel before and after it is transposed", [5, 4, 3])
def _(g, x):
    h = g("Mul", x, np.array([0.5, 1, 2], dtype=np.float32))
    h = g("Transpose", g("Add", h, np.array([0.1, 0.2, 0.3], dtype=np.float32)), perm=[0, 3, 1, 2])
    h = g("Sub", g("Div", h, np.array([1, 2, 3], dtype=np.float32).reshape(3, 1, 1)), weights(3, 1, 1))
    return dense_after(g, g("Relu", g("Conv", h, weights(4, 3, 3, 3))), 24)


def quantise(g, t, scale, zero):
    s, z = scalar(scale), np.array(zero, dtype=np.uint8)
    return g("DequantizeLinear", g("QuantizeLinear", t, s, z), s, z)


@case("QDQ: a uint8 network with int8 weights, a scale a channel", [3, 6, 6])
def _(g, x):
    def weight(*shape):
        w = weights(*shape)
        scale = np.abs(w).reshape(shape[0], -1).max(1) / 127
        q = np.round(w / scale.reshape(-1, *[1] * (len(shape) - 1))).astype(np.int8)
        return g("DequantizeLinear", q, scale.astype(np.float32), np.zeros(shape[0], dtype=np.int8), axis=0)

    h = quantise(g, x, 0.03, 128)
    h = quantise(g, g("Relu", g("Conv", h, weight(8, 3, 3, 3))), 0.015, 0)
    return g("Gemm", g("Flatten", h), weight(4, 128), transB=1)


def tokens_times(g, t, fan_in, units):
    return g("Add", g("MatMul", t, weights(units, fan_in).T.copy()), weights(units, 1)[:, 0])


def heads(g, t, count, heads, width, perm):
    return g("Transpose", g("Reshape", t, ints(0, count, heads, width)), perm=perm)


def attend(g, t, count, features, heads_, width):
    q = heads(g, tokens_times(g, t, features, heads_ * width), count, heads_, width, [0, 2, 1, 3])
    k = heads(g, tokens_times(g, t, features, heads_ * width), count, heads_, width, [0, 2, 3, 1])
    v = heads(g, tokens_times(g, t, features, heads_ * width), count, heads_, width, [0, 2, 1, 3])
    scores = g("Softmax", g("Div", g("MatMul", q, k), scalar(np.sqrt(width))), axis=-1)
    mixed = g("Transpose", g("MatMul", scores, v), perm=[0, 2, 1, 3])
    return g("Reshape", mixed, ints(0, count, heads_ * width))


@case("attention of three heads over six tokens", [6, 5])
def _(g, x):
    return dense_after(g, attend(g, x, 6, 5, 3, 4), 72)


@case("attention of one head of a width that is no power of two", [5, 4])
def _(g, x):
    return dense_after(g, attend(g, x, 5, 4, 1, 6), 30)


@case("a transformer block: positions, LayerNormalization, attention, residuals, Gelu", [8, 6], 20)
def _(g, x):
    h = g("Add", tokens_times(g, x, 6, 16), 1.5 * weights(1, 8, 16))
    n = g("LayerNormalization", h, 1 + 0.2 * weights(16, 1)[:, 0], weights(16, 1)[:, 0] * 0.3, axis=-1)
    h = g("Add", h, tokens_times(g, attend(g, n, 8, 16, 2, 8), 16, 16))
    n = g("LayerNormalization", h, 1 + 0.2 * weights(16, 1)[:, 0], weights(16, 1)[:, 0] * 0.3, axis=-1)
    h = g("Add", h, tokens_times(g, g("Gelu", tokens_times(g, n, 16, 32)), 32, 16))
    h = g("ReduceMean", h, ints(1), keepdims=0)
    return g("Gemm", h, weights(4, 16), weights(4, 1)[:, 0], transB=1)


@case("LayerNormalization spelled out: ReduceMean, Sub, Pow, Sqrt, Div", [4, 6])
def _(g, x):
    h = tokens_times(g, x, 6, 12)
    centred = g("Sub", h, g("ReduceMean", h, axes=[-1]))
    variance = g("ReduceMean", g("Pow", centred, scalar(2)), axes=[-1])
    h = g("Div", centred, g("Sqrt", g("Add", variance, scalar(1e-5))))
    h = g("Add", g("Mul", h, 1 + 0.2 * weights(12, 1)[:, 0]), weights(12, 1)[:, 0])
    return dense_after(g, g("Relu", h), 48)


@case("a gate: a product of two branches", [10])
def _(g, x):
    a = g("Gemm", x, weights(12, 10), transB=1)
    b = g("Sigmoid", g("Gemm", x, weights(12, 10), transB=1))
    return g("Gemm", g("Mul", a, b), weights(3, 12), transB=1)


@case("squeeze and excitation: an image times one number a channel", [3, 6, 6])
def _(g, x):
    h = g("Relu", g("Conv", x, weights(6, 3, 3, 3)))
    s = g("Flatten", g("GlobalAveragePool", h))
    s = g("Sigmoid", g("Gemm", g("Relu", g("Gemm", s, weights(4, 6), transB=1)), weights(6, 4), transB=1))
    h = g("Mul", g("Reshape", s, ints(0, 6, 1, 1)), h)
    return dense_after(g, h, 96)


@case("Concat of two branches of channels, and a Sub that broadcasts over an image", [2, 6, 5])
def _(g, x):
    a = g("Relu", g("Conv", x, weights(3, 2, 3, 3)))
    b = g("Tanh", g("Conv", x, weights(5, 2, 3, 3)))
    h = g("Concat", a, b, axis=1)
    h = g("Sub", h, g("ReduceMean", h, axes=[2, 3]))
    return dense_after(g, g("Relu", g("Conv", h, weights(4, 8, 2, 2))), 24)


@case("Concat of features", [3, 7])
def _(g, x):
    h = g("Relu", tokens_times(g, x, 7, 6))
    h = g("Concat", tokens_times(g, h, 6, 5), g("Tanh", tokens_times(g, h, 6, 4)), axis=-1)
    return dense_after(g, h, 27)


@case("Reciprocal of what stays away from zero", [6])
def _(g, x):
    h = g("Add", g("Softplus", g("Gemm", x, weights(8, 6), transB=1)), scalar(1))
    y = g("Gemm", x, weights(8, 6), transB=1)
    return g("Gemm", g("Div", y, h), weights(3, 8), transB=1)


def main():
    vectors = []
    for name, (model, shape) in CASES.items():
        onnx.checker.check_model(model)
        data = model.SerializeToString()
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        inputs = random.standard_normal((SAMPLES, *shape)).astype(np.float32)
        outputs = session.run(None, {"x": inputs})[0].reshape(SAMPLES, -1)
        vectors.append(
            {
                "name": name,
                "onnx": base64.b64encode(data).decode(),
                "inputs": np.round(inputs.reshape(SAMPLES, -1).astype(float), 6).tolist(),
                "outputs": np.round(outputs.astype(float), 6).tolist(),
            }
        )
    place = pathlib.Path(__file__).parent.parent / "vectors" / "onnx.json"
    place.write_text(json.dumps({"onnxruntime": onnxruntime.__version__, "vectors": vectors}, separators=(",", ":")) + "\n")
    print(f"{len(vectors)} models, {place.stat().st_size} bytes")


main()
