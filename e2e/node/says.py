"""What runs in a web server's pod (node.web): answers every GET with SAYS, as a server of HTTP/1.1 does.

The path `/flags/leave` gives what the mounted file of that name says.

By the environment: MAX_AGE is how many seconds it keeps a connection, BURN how many milliseconds of CPU an answer
takes, other than on /healthz. While the mounted file `/flags/leave` says true, each answer is the last on its
connection; so it is when it was asked to end, which it does two seconds later: kube-proxy leads users to it for one.
"""

import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LEAVE = Path("/flags/leave")
MAX_AGE = float(os.environ.get("MAX_AGE", "inf"))
BURN = float(os.environ.get("BURN", "0")) / 1000
ENDING = threading.Event()


class Says(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.since = time.monotonic()

    def do_GET(self) -> None:
        started = time.thread_time()
        while self.path != "/healthz" and time.thread_time() - started < BURN:
            pass
        said = LEAVE.read_text() if self.path == str(LEAVE) else os.environ["SAYS"]
        body = said.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if self.is_last():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def is_last(self) -> bool:
        is_told = LEAVE.exists() and LEAVE.read_text().strip() == "true"
        return ENDING.is_set() or is_told or time.monotonic() - self.since > MAX_AGE

    def log_message(self, *_: object) -> None:
        pass


def end(*_: object) -> None:
    """Goes on until who is about to ask has got an answer."""
    ENDING.set()
    threading.Timer(2.0, os._exit, (0,)).start()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)  # process 1 has no handler by default
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("", 8000), Says).serve_forever()
