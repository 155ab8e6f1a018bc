"""Makes wine.onnx, the model that the example loads, and held_out.csv, what it has not seen.

It needs ``pip install scikit-learn pandas skl2onnx``. The data are chemical analyses of 178 real
wines of three growers, which come with scikit-learn.
"""

from pathlib import Path

from skl2onnx import to_onnx
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

here = Path(__file__).parent
wine = load_wine(as_frame=True)
taught, held_out, labels, _ = train_test_split(wine.data, wine.target, test_size=0.5, random_state=0)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(taught.to_numpy(), labels)
onnx = to_onnx(model, taught.to_numpy("float32")[:1], options={"zipmap": False})
for old, new in zip(onnx.graph.output, ["label", "probabilities"], strict=True):
    for node in onnx.graph.node:
        node.output[:] = [new if name == old.name else name for name in node.output]
    old.name = new
(here / "wine.onnx").write_bytes(onnx.SerializeToString())
held_out.assign(grower=wine.target).to_csv(here / "held_out.csv", index=False)
