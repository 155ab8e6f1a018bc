"""A LitServe server with one worker: `python on_litserve.py PORT`."""

import sys
from typing import Any

import litserve
from predict import predict


class Predictor(litserve.LitAPI):
    """Decoding and encoding of JSON are LitServe's."""

    def setup(self, device: str) -> None:
        """There is no model to load."""

    def predict(self, x: dict[str, Any]) -> dict[str, Any]:
        """The function."""
        return predict(x)


if __name__ == "__main__":
    server = litserve.LitServer(Predictor(), accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", generate_client_file=False)
