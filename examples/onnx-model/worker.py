"""Classifies with a model from a file: ONNX Runtime, called from a Rust program."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from pyproc_worker import expose, run_worker

# One thread: the pool has a worker per core already.
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(Path(__file__).with_name("wine.onnx"), options)
[features] = session.get_inputs()


@expose
def classify(rows: memoryview) -> dict[str, Any]:
    """The class of each row, and how sure the model is. A row is 13 little-endian 32-bit floats.

    The rows are the body as it is: NumPy looks at the memory that the Rust program has written.
    """
    batch = np.frombuffer(rows, dtype="<f4").reshape(-1, features.shape[1])
    labels, probabilities = session.run(["label", "probabilities"], {features.name: batch})
    return {"labels": labels, "certainty": probabilities.max(axis=1)}


if __name__ == "__main__":
    run_worker()
