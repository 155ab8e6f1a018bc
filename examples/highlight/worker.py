"""Colours source code for a terminal: Pygments, called from a Rust program."""

from pygments import highlight as render
from pygments.formatters import Terminal256Formatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound
from pyproc_worker import expose, run_worker

# Nothing is added or taken away but colours.
AS_IT_IS = {"stripnl": False, "ensurenl": False}


@expose
def highlight(name: str, code: str) -> str:
    """The code in the colours of its language, which the file's name tells."""
    try:
        lexer = get_lexer_for_filename(name, code, **AS_IT_IS)
    except ClassNotFound:
        lexer = TextLexer(**AS_IT_IS)
    return render(code, lexer, Terminal256Formatter())


if __name__ == "__main__":
    run_worker()
