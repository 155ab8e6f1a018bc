"""What the image serves until it is given a worker of its own."""

from typing import TypedDict

from pyproc_worker import expose, run_worker


class Features(TypedDict):
    """What a prediction is made from."""

    value: float


class Prediction(TypedDict):
    """What is predicted."""

    result: float


@expose
def predict(features: Features) -> Prediction:
    """The example of the README: twice the value."""
    return {"result": features["value"] * 2}


if __name__ == "__main__":
    run_worker()
