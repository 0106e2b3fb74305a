"""What others take for one ONNX model, as JSON on the last line of the output.
  measure.py JOB.json   with {onnx, calibrate, input, folder, ezkl: {columns, logrows} or null}

onnxruntime runs the float model and its own int8 quantisation of it, one thread; EZKL proves the float model in its
fixed-point arithmetic, on all cores. Milliseconds by the clock and of processor time."""

import json
import os
import resource
import statistics
import sys
import time

import ezkl
import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

RUNS = 200


def timed(work):
    clock, used = time.perf_counter(), time.process_time()
    value = work()
    return value, {"clock": 1000 * (time.perf_counter() - clock), "processor": 1000 * (time.process_time() - used)}


def strides_written_out(model):
    """EZKL wants the strides that ONNX lets a convolution leave out."""
    for node in model.graph.node:
        if node.op_type == "Conv" and all(each.name != "strides" for each in node.attribute):
            node.attribute.append(onnx.helper.make_attribute("strides", [1, 1]))
    return model


class Samples(CalibrationDataReader):
    def __init__(self, name, shape, rows):
        self.rows = iter([{name: np.array(row, dtype=np.float32).reshape(shape)} for row in rows])

    def get_next(self):
        return next(self.rows, None)


def run_plain(path, values):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    shape = [side if isinstance(side, int) else 1 for side in session.get_inputs()[0].shape]
    feed = {name: np.array(values, dtype=np.float32).reshape(shape)}
    costs = [timed(lambda: session.run(None, feed))[1] for _ in range(RUNS)]
    output = session.run(None, feed)[0].ravel().tolist()
    # The processor's clock is too coarse for one of them.
    used = time.process_time()
    for _ in range(RUNS):
        session.run(None, feed)
    processor = 1000 * (time.process_time() - used) / RUNS
    return name, shape, output, {"clock": statistics.median(c["clock"] for c in costs), "processor": processor}


def prove(folder, path, values, columns, logrows):
    """One proof: input and output public, weights fixed in the circuit, its default scale of 2^7."""
    at = lambda name: os.path.join(folder, name)
    srs = os.path.join(folder, "..", f"kzg{logrows}.srs")
    if not os.path.exists(srs):
        ezkl.gen_srs(srs + ".part", logrows)
        os.rename(srs + ".part", srs)
    json.dump({"input_data": [values]}, open(at("input.json"), "w"))
    arguments = ezkl.PyRunArgs()
    arguments.variables = [("batch", 1)]
    arguments.input_visibility = arguments.output_visibility = "public"
    arguments.param_visibility = "fixed"
    arguments.num_inner_cols, arguments.logrows = columns, logrows
    ezkl.gen_settings(path, at("settings.json"), py_run_args=arguments)
    ezkl.compile_circuit(path, at("circuit"), at("settings.json"))
    _, setup = timed(lambda: ezkl.setup(at("circuit"), at("vk"), at("pk"), srs))
    ezkl.gen_witness(at("input.json"), at("circuit"), at("witness.json"))
    _, proving = timed(lambda: ezkl.prove(at("witness.json"), at("circuit"), at("pk"), at("proof.json"), srs))
    verified, verifying = timed(lambda: ezkl.verify(at("proof.json"), at("settings.json"), at("vk"), srs))
    outputs = json.load(open(at("witness.json")))["pretty_elements"]["rescaled_outputs"][0]
    return {
        "setup": setup,
        "prove": proving,
        "verify": verifying,
        "verified": verified,
        "bytes": len(bytes(json.load(open(at("proof.json")))["proof"])),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "output": [float(each) for each in outputs],
    }


def main():
    job = json.load(open(sys.argv[1]))
    os.makedirs(job["folder"], exist_ok=True)
    written = os.path.join(job["folder"], "model.onnx")
    quantised = os.path.join(job["folder"], "int8.onnx")
    onnx.save(strides_written_out(onnx.load(job["onnx"])), written)
    name, shape, output, plain = run_plain(written, job["input"])
    quantize_static(
        written,
        quantised,
        Samples(name, shape, job["calibrate"]),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    int8 = run_plain(quantised, job["input"])[3]
    result = {"versions": {"ezkl": ezkl.__version__, "onnxruntime": onnxruntime.__version__}}
    result["onnxruntime"] = {"float32": plain, "int8": int8, "output": output}
    if job["ezkl"] is not None:
        result["ezkl"] = prove(job["folder"], written, job["input"], **job["ezkl"])
    print(json.dumps(result))


main()
