"""Reads handwritten digits: a scikit-learn classifier that a Rust program calls."""

import os
from typing import Any

import numpy as np
from pyproc_worker import expose, run_worker
from sklearn.datasets import load_digits
from sklearn.svm import SVC

# 1,797 real scans, each 8 x 8 pixels of 0 (white) to 16 (black). The first half teaches, the second
# half is held out. Training has no random part, so every worker learns the same.
pixels, labels = load_digits(return_X_y=True)
half = len(pixels) // 2
classifier = SVC(gamma=0.001).fit(pixels[:half], labels[:half])


@expose
def predict(image: Any) -> dict[str, Any]:
    """Read one image of 64 pixels, or a batch of them; says which process did it."""
    read = classifier.predict(np.atleast_2d(image))
    return {"digit": read[0] if np.ndim(image) == 1 else read, "worker": os.getpid()}


@expose
def held_out() -> dict[str, Any]:
    """The images that the classifier has never seen, and what they show."""
    return {"images": pixels[half:], "labels": labels[half:]}


@expose
def pid() -> int:
    """The process that answers."""
    return os.getpid()


if __name__ == "__main__":
    run_worker()
