"""A mosec service with one worker: `python on_mosec.py --port PORT`."""

from typing import Any

import predict
from mosec import Server, Worker


class Predictor(Worker):
    """JSON by msgspec, which is faster than mosec's own."""

    def deserialize(self, data: bytes) -> Any:
        """From JSON."""
        return predict.decode(data)

    def serialize(self, data: Any) -> bytes:
        """To JSON."""
        return predict.encode(data)

    def forward(self, data: dict[str, Any]) -> dict[str, Any]:
        """The function."""
        return predict.predict(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(Predictor, num=1, route="/predict")
    server.run()
