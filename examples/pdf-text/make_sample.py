"""Makes licence.pdf, the file that the example reads, from the project's licence.

It needs ``pip install reportlab``.
"""

from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

LINES_PER_PAGE = 60

here = Path(__file__).parent
lines = (here / "../../LICENSE").read_text().splitlines()
canvas = Canvas(str(here / "licence.pdf"), pagesize=A4, pageCompression=1, invariant=1)
canvas.setTitle("Apache License, Version 2.0")
for start in range(0, len(lines), LINES_PER_PAGE):
    page = canvas.beginText(60, A4[1] - 60)
    page.setFont("Times-Roman", 10)
    for line in lines[start : start + LINES_PER_PAGE]:
        page.textLine(line)
    canvas.drawText(page)
    canvas.showPage()
canvas.save()
