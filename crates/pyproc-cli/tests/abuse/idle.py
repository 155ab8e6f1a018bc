"""Many idle connections: opened, used once, left idle, used once more. Speaks with its parent line by line."""

import resource
import socket
import sys

REQUEST = b"POST /v1/call/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n7"


def tell(line):
    print(line, flush=True)


def use(connections):
    """Sends a request on each and counts the good answers."""
    for connection in connections:
        connection.sendall(REQUEST)
    good = 0
    for connection in connections:
        answer = b""
        while not answer.endswith(b"\r\n\r\n7"):
            more = connection.recv(4096)
            if not more:
                break
            answer += more
        good += answer.startswith(b"HTTP/1.1 200 ")
    return good


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
