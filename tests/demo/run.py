"""`make demo`: the main job on real traffic, through a real HAProxy, with a stand-in for Google."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from support.log.line import AccessLine  # noqa: E402
from support.log.server import LogServer  # noqa: E402
from support.wire.calls import BODY, GENERATE, OTHER_MODEL, STREAM, headers, post  # noqa: E402
from support.wire.http1 import Connection, Response  # noqa: E402
from support.world.gateway import in_front_of  # noqa: E402
from support.world.haproxy import Haproxy  # noqa: E402
from support.world.standin import Standin  # noqa: E402

CHUNKS = 4
INTERVAL_MILLISECONDS = 300


class Demo:
    def __init__(self, standin: Standin, haproxy: Haproxy, logs: LogServer) -> None:
        self.standin, self.haproxy, self.logs = standin, haproxy, logs
        self.faults: list[str] = []
        self.shown = 0

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            self.faults.append(what)
            print(f"   NOT AS IT SHOULD BE: {what}")

    def announce(self, title: str, target: str, token: str | None) -> None:
        self.shown += 1
        shown = "no token" if token is None else f"Authorization: Bearer {token[:12]}…"
        print(f"\n{self.shown}. {title}\n   POST {target}\n   {shown}")

    def audit(self) -> AccessLine:
        line = self.logs.wait_for(self.shown)[-1]
        print(f"   audit line: {line.text.partition(']: ')[2]}")
        return line

    def call(
        self, title: str, target: str, token: str | None, status: int, reason: str
    ) -> Response:
        self.announce(title, target, token)
        response = post(self.haproxy, token, target)
        print(f"   -> {response.status} {response.reason}: {summary(response)}")
        line = self.audit()
        self.expect(response.status == status, f"status {response.status} instead of {status}")
        self.expect(line["reason"] == reason, f"reason {line['reason']} instead of {reason}")
        return response

    def stream(self, title: str, token: str) -> None:
        self.announce(title, STREAM, token)
        self.standin.google(chunks=CHUNKS, interval_ms=INTERVAL_MILLISECONDS)
        connection = Connection(self.haproxy.port)
        started = time.monotonic()
        connection.send_request("POST", STREAM, headers(token), BODY)
        response = connection.read_head()
        print(f"   -> {response.status} {response.reason}, {response.header('content-type')}")
        times = []
        for part in connection.parts(response):
            text = part.data.decode().strip()
            if text:
                times.append(part.at - started)
                print(f"   {times[-1] * 1000:6.0f} ms  {text[:90]}…")
        self.audit()
        self.expect(response.status == 200, f"status {response.status} instead of 200")
        self.expect(len(times) == CHUNKS, f"{len(times)} chunks instead of {CHUNKS}")
        apart = [later - sooner for sooner, later in zip(times, times[1:])]
        least = INTERVAL_MILLISECONDS / 2000
        self.expect(all(gap > least for gap in apart), "chunks did not arrive one by one")

    def run(self) -> None:
        token = self.standin.token({"email": "ada@corp.example"})
        foreign = self.standin.token({"aud": "another-service"})
        self.call("No token", GENERATE, None, 401, "token_missing")
        self.call("A token for another audience", GENERATE, foreign, 401, "audience_wrong")
        self.call("A model outside the role", OTHER_MODEL, token, 403, "role_none")
        before = len(self.standin.requests(of="google"))
        self.call("An allowed call", GENERATE, token, 200, "ok")
        self.stream("A streamed call, each chunk with the time of its arrival", token)
        requests = self.standin.requests(of="google")
        self.expect(before == 0, "a refused request reached Google")
        self.expect(all(r["bearer"]["valid"] for r in requests), "Google refused a bearer")
        identities = {r["bearer"]["claims"]["iss"] for r in requests}
        print(f"\nGoogle's stand-in saw {len(requests)} requests, signed as {', '.join(identities)}.")

    def leave_running(self) -> None:
        token = self.standin.token(lifetime=3600)
        print(f"""
Everything runs until Ctrl-C:
   gateway            http://127.0.0.1:{self.haproxy.port}
   configuration      {self.haproxy.folder}/vertex.json
   stats socket       {self.haproxy.folder}/stats     (vertex show keys json)
   stand-in control   http://127.0.0.1:{self.standin.ports['control']}

curl -N 'http://127.0.0.1:{self.haproxy.port}{STREAM}' \\
  -H 'Content-Type: application/json' -d '{BODY.decode()}' \\
  -H 'Authorization: Bearer {token}'
""")
        seen = self.shown
        while True:
            line = self.logs.wait_for(seen + 1, within=float(2**31))[seen]
            seen += 1
            print(f"audit line: {line.text.partition(']: ')[2]}", flush=True)


def summary(response: Response) -> str:
    answer = json.loads(response.text)
    if "error" in answer:
        return answer["error"]["message"]
    return "".join(part["text"] for part in answer["candidates"][0]["content"]["parts"])


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--haproxy", default="haproxy")
    arguments.add_argument("--oneshot", action="store_true")
    chosen = arguments.parse_args()
    os.environ["HAPROXY_BIN"] = chosen.haproxy
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    undo: list[Callable[[], None]] = []
    try:
        standin, logs = Standin(), LogServer()
        undo += [standin.stop, logs.stop]
        haproxy = Haproxy(in_front_of(standin, logs, upstream_tls=True))
        undo += [haproxy.remove, haproxy.stop]
        haproxy.start()
        demo = Demo(standin, haproxy, logs)
        demo.run()
        if demo.faults:
            print(f"\n{len(demo.faults)} things were not as they should be.")
            return 1
        print("All was as it should be.")
        if not chosen.oneshot:
            demo.leave_running()
        return 0
    except KeyboardInterrupt:
        print("\nstopped")
        return 0
    finally:
        for step in reversed(undo):
            step()


if __name__ == "__main__":
    sys.exit(main())
