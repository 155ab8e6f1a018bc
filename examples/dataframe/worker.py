"""Groups and aggregates a table: pandas, called from a Rust program.

The table beside this file, 150 real irises measured by Edgar Anderson, comes with scikit-learn::

    python -c "from sklearn.datasets import load_iris as load; iris = load(as_frame=True)
    iris.data['species'] = iris.target_names[iris.target]; iris.data.to_csv('iris.csv', index=False)"
"""

import io
from typing import Any

import msgspec
import pandas as pd
from pyproc_worker import expose, run_worker


class Question(msgspec.Struct):
    """What to compute of which table."""

    csv: str
    by: str
    statistics: list[str]


@expose
def aggregate(question: Question) -> dict[str, Any]:
    """Statistics of every column of numbers, per group: {group: {column: {statistic: number}}}."""
    table = pd.read_csv(io.StringIO(question.csv))
    numbers = table.select_dtypes("number").columns
    groups = table.groupby(question.by)[list(numbers)]
    return {str(group): members.agg(question.statistics).to_dict() for group, members in groups}


if __name__ == "__main__":
    run_worker()
