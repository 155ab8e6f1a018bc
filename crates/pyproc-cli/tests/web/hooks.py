"""What schemathesis does not do on its own; it loads this file."""

import schemathesis


@schemathesis.hook
def map_body(_context, body):
    """Writes whole numbers without a point: to JSON Schema 1.0 is an integer, to Python it is none."""
    return whole(body)


def whole(value):
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {name: whole(item) for name, item in value.items()}
    return value
