"""A FastAPI application as its tutorial writes it: `uvicorn on_fastapi:app`."""

from fastapi import FastAPI
from pydantic import BaseModel


class Features(BaseModel):
    """What comes in."""

    value: int


class Prediction(BaseModel):
    """What goes out."""

    result: int


app = FastAPI()


@app.post("/predict")
async def predict(features: Features) -> Prediction:
    """The one route."""
    return Prediction(result=features.value * 2)
