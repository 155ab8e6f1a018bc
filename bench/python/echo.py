"""A plain Unix-socket echo, the least that a Python process behind a socket can do.

Inherits a connected socket as descriptor 0.
"""

import socket


def main() -> None:
    """Send back whatever arrives until the other side closes."""
    connection = socket.socket(fileno=0)
    while data := connection.recv(65536):
        connection.sendall(data)


if __name__ == "__main__":
    main()
