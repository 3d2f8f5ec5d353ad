"""What runs in a pool's pod (node.pool): WORKERS threads that each take one connection, wait, answer SAYS and close.

A page takes PAGE_SECONDS, and RECOMMENDATIONS_SECONDS more while the mounted flag says so, as if a database were asked.
The line before the workers is the socket's. `/ready` waits for a worker as everybody does, and who asks for `/hang`
keeps one for ever. What was done is told to Prometheus on a port of its own.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FLAGS = Path("/flags/flags.json")
SAYS = os.environ["SAYS"]
WORKERS = int(os.environ["WORKERS"])
PAGE = float(os.environ["PAGE_SECONDS"])
RECOMMENDATIONS = float(os.environ["RECOMMENDATIONS_SECONDS"])
LINE = 2048
HEAD = f"HTTP/1.1 200 OK\r\nX-Served-By: {SAYS}\r\nContent-Length: {len(SAYS)}\r\nConnection: close\r\n\r\n"
pages, busy = [0] * WORKERS, [0.0] * WORKERS


def recommends() -> bool:
    flag = json.loads(FLAGS.read_text())["flags"]["recommendations"]
    return bool(flag["variants"][flag["defaultVariant"]])


def work(listener: socket.socket, worker: int) -> None:
    while True:
        connection, _ = listener.accept()
        began = time.monotonic()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            path = read_path(connection)
            if path == b"/hang":
                threading.Event().wait()
            if path != b"/ready":
                time.sleep(PAGE + (RECOMMENDATIONS if RECOMMENDATIONS and recommends() else 0))
                pages[worker] += 1
                busy[worker] += time.monotonic() - began
            connection.sendall(f"{HEAD}{SAYS}".encode())


def read_path(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        received = connection.recv(4096)
        if not received:
            raise ConnectionError("gone before it had asked")
        request += received
    return request.split()[1]


class Metrics(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        lines = [f'shop_requests_total{{code="200"}} {sum(pages)}', f"shop_busy_seconds_total {sum(busy)}"]
        body = "\n".join([*lines, f"shop_workers {WORKERS}", ""]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 has no handler by default
    waiting = socket.create_server(("", 8000), backlog=LINE)
    for number in range(WORKERS):
        threading.Thread(target=work, args=(waiting, number), daemon=True).start()
    ThreadingHTTPServer(("", 9100), Metrics).serve_forever()
