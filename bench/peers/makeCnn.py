"""A CNN of the digits CNN's layers, smaller, with weights drawn from a seed, so that EZKL's proof fits in any machine's memory.
  makeCnn.py OUT.onnx DATA.json FIRST SECOND HIDDEN SIDE
with the channels of both convolutions, the neurons of the hidden layer and the pixels of a side."""

import json
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FIRST, SECOND, HIDDEN, SIDE = (int(each) for each in sys.argv[3:7])
CLASSES = 10
random = np.random.default_rng(6)
weights = []


def drawn(name, *shape):
    fan_in = int(np.prod(shape[1:])) or 1
    values = random.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)
    weights.append(numpy_helper.from_array(values, name))
    weights.append(numpy_helper.from_array(np.zeros(shape[0], dtype=np.float32), name + "b"))
    return [name, name + "b"]


def convolution(source, target, name, *shape):
    inputs = [source, *drawn(name, *shape)]
    return helper.make_node("Conv", inputs, [target], pads=[1, 1, 1, 1], strides=[1, 1])


nodes = [
    convolution("x", "a", "w1", FIRST, 1, 3, 3),
    helper.make_node("Relu", ["a"], ["b"]),
    convolution("b", "c", "w2", SECOND, FIRST, 3, 3),
    helper.make_node("Relu", ["c"], ["d"]),
    helper.make_node("MaxPool", ["d"], ["e"], kernel_shape=[2, 2], strides=[2, 2]),
    helper.make_node("Flatten", ["e"], ["f"]),
    helper.make_node("Gemm", ["f", *drawn("w3", HIDDEN, SECOND * SIDE * SIDE // 4)], ["g"], transB=1),
    helper.make_node("Relu", ["g"], ["h"]),
    helper.make_node("Gemm", ["h", *drawn("w4", CLASSES, HIDDEN)], ["y"], transB=1),
]
value = helper.make_tensor_value_info
graph = helper.make_graph(
    nodes,
    "cnn",
    [value("x", TensorProto.FLOAT, [1, 1, SIDE, SIDE])],
    [value("y", TensorProto.FLOAT, [1, CLASSES])],
    weights,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
onnx.save(model, sys.argv[1])
samples = random.uniform(0, 1, (64, SIDE * SIDE)).round(6)
json.dump({"calibrate": samples.tolist(), "inputs": samples[:1].tolist()}, open(sys.argv[2], "w"))
