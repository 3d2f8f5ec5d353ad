"""Shops in pods whose workers can all be busy: a queue before them, and users who wait in it until they give up.

A worker takes one connection, waits as if for a database, answers, and closes. The queue is the socket's, as long as
gunicorn's, and nobody sees from inside who has left it: so a shop that is behind goes on serving people who are gone.
`/ready` waits for a worker as everybody does; who asks for `/hang` keeps one for ever.
"""

from dataclasses import dataclass

from node import web
from node.web import Object

FLAGS = "shop-flags"
FLAG = "recommendations"
METRICS_PORT = 9100
_SERVER = """
import json, os, signal, socket, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, WORKERS = os.environ["NAME"], int(os.environ["WORKERS"])
PAGE, RECOMMENDATIONS = float(os.environ["PAGE_SECONDS"]), float(os.environ["RECOMMENDATIONS_SECONDS"])
HEAD = f"HTTP/1.1 200 OK\\r\\nX-Served-By: {NAME}\\r\\nContent-Length: 3\\r\\nConnection: close"
ANSWER = HEAD.encode() + b"\\r\\n\\r\\nok\\n"
pages, busy = [0] * WORKERS, [0.0] * WORKERS

def recommends():
    with open("/flags/flags.json") as file:
        flag = json.load(file)["flags"]["recommendations"]
    return flag["variants"][flag["defaultVariant"]]

def work(number):
    while True:
        connection, _ = listener.accept()
        with connection:
            began = time.monotonic()
            try:
                connection.settimeout(5)
                request = b""
                while b"\\r\\n\\r\\n" not in request:
                    received = connection.recv(4096)
                    if not received:
                        raise ConnectionError("gone")
                    request += received
                path = request.split()[1]
                if path == b"/hang":
                    threading.Event().wait()
                if path != b"/ready":
                    time.sleep(PAGE + (RECOMMENDATIONS if RECOMMENDATIONS and recommends() else 0))
                    pages[number] += 1
                    busy[number] += time.monotonic() - began
                connection.sendall(ANSWER)
            except OSError:
                pass

class Metrics(BaseHTTPRequestHandler):
    def do_GET(self):
        lines = [f'shop_requests_total{{code="200"}} {sum(pages)}', f"shop_busy_seconds_total {sum(busy)}"]
        body = "\\n".join([*lines, f"shop_workers {WORKERS}", ""]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
listener = socket.create_server(("", 8000), backlog=2048)
for number in range(WORKERS):
    threading.Thread(target=work, args=(number,), daemon=True).start()
ThreadingHTTPServer(("", 9100), Metrics).serve_forever()
"""


@dataclass(frozen=True)
class Pool:
    """What one pod can do: `workers` at once, each for so many seconds a page; recommendations cost more."""

    workers: int
    page: float
    recommendations: float = 0.0

    @property
    def capacity(self) -> float:
        """Pages per second."""
        return self.workers / (self.page + self.recommendations)


def deployment(name: str, pool: Pool, replicas: int = 1) -> Object:
    """Pods that are found by Prometheus, and say in `X-Served-By` what their Deployment is called."""
    made = web.deployment(name, replicas)
    template = made["spec"]["template"]
    template["metadata"]["annotations"] = {"prometheus.io/scrape": "true", "prometheus.io/port": str(METRICS_PORT)}
    (container,) = template["spec"]["containers"]
    settings = {
        "NAME": name,
        "WORKERS": str(pool.workers),
        "PAGE_SECONDS": str(pool.page),
        "RECOMMENDATIONS_SECONDS": str(pool.recommendations),
    }
    container["env"] = [{"name": key, "value": value} for key, value in settings.items()]
    container["command"] = ["python", "-c", _SERVER]
    container["readinessProbe"] = {**container["readinessProbe"], "httpGet": {"path": "/ready", "port": "http"}}
    container["volumeMounts"] = [{"name": "flags", "mountPath": "/flags"}]
    template["spec"]["volumes"] = [{"name": "flags", "configMap": {"name": FLAGS}}]
    return made


def flags() -> Object:
    """The flag document of all pools of a namespace: recommendations are on."""
    document = (
        f'{{"flags": {{"{FLAG}": {{"state": "ENABLED", "variants": {{"on": true, "off": false}},'
        ' "defaultVariant": "on"}}}'
    )
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": FLAGS}, "data": {"flags.json": document}}
