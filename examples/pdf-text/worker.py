"""Reads PDF files: pypdf, called from a Rust program."""

import io
from typing import Any

from pypdf import PdfReader
from pyproc_worker import expose, run_worker


@expose
def text(pdf: memoryview) -> dict[str, Any]:
    """The text of each page, and what the file says of itself. The file's bytes are the whole body."""
    reader = PdfReader(io.BytesIO(pdf))
    metadata = reader.metadata
    return {
        "title": metadata.title if metadata else None,
        "pages": [page.extract_text() for page in reader.pages],
    }


if __name__ == "__main__":
    run_worker()
