"""Many idle connections: opened, used once, left idle, used once more. Speaks with its parent line by line."""

import resource
import socket
import sys

REQUEST = (
    b"POST /v1/call/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n7"
)

# Fewer than may wait for a worker.
AT_ONCE = 100


def tell(line):
    print(line, flush=True)


def use(connections):
    """Sends a request on each, some at a time, and counts the good answers."""
    good = 0
    for first in range(0, len(connections), AT_ONCE):
        some = connections[first : first + AT_ONCE]
        for connection in some:
            connection.sendall(REQUEST)
        good += sum(answered(connection) for connection in some)
    return good


def answered(connection):
    answer = b""
    while more := connection.recv(4096):
        answer += more
        head, end, body = answer.partition(b"\r\n\r\n")
        if end and not head.startswith(b"HTTP/1.1 200 "):
            return False
        if body:
            return True
    return False


def main():
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    connections = []
    try:
        for _ in range(count):
            connections.append(socket.create_connection((host, port), timeout=120))
    except OSError as error:
        tell(f"forbidden: {len(connections)} connections, then {error}")
        return
    tell(f"open {len(connections)}")
    for _ in sys.stdin:
        tell(f"good {use(connections)}")


if __name__ == "__main__":
    main()
