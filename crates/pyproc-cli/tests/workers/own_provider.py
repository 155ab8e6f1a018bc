"""Sets up its own provider, as any program does."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from pyproc_worker import expose, run_worker

provider = TracerProvider(resource=Resource.create({"own": "yes"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)


@expose
def price(item: str) -> float:
    return 4.5


if __name__ == "__main__":
    run_worker()
