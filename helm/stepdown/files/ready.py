"""For `helm test`: asks the operator through its Service whether it is ready. Arguments: host and port."""

import sys
import time
from http.client import HTTPConnection, HTTPException

SECONDS = 60


def ask(host: str, port: int) -> tuple[int, str]:
    """Status and text of the answer; status 0 and the reason where there was none."""
    connection = HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def main(host: str, port: str) -> None:
    """Ends with 1 where no replica was ready for a minute: a release may be tested while its pods start."""
    deadline = time.monotonic() + SECONDS
    status, text = ask(host, int(port))
    while status != 200 and time.monotonic() < deadline:
        time.sleep(1)
        status, text = ask(host, int(port))
    if status != 200:
        sys.exit(
            f"no replica is ready at {host} port {port} after {SECONDS} s: {status} {text}. See the operator's log."
        )
    print(f"{host} port {port}: {text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
