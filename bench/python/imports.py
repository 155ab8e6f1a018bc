"""What a worker with a model imports: numpy, pandas and scikit-learn."""

import os

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

IMPORTED = (np, pd, LogisticRegression)


def pid() -> int:
    """The process that answers."""
    return os.getpid()
