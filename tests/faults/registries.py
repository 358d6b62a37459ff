"""Registries that refuse: one that wants a login, one that serves another processor, a stand-in for one with a rate limit."""

from __future__ import annotations

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: User ``validator`` with password ``validator``, as ``htpasswd -B`` writes it.
HTPASSWD = "validator:$2b$05$wo6XnYsV8EM8OH1wcAnS0uVLRPLEjdt5pIRXmPjnUxGf4PLjJHkdq\n"
_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class RateLimited(ThreadingHTTPServer):
    """A stand-in for a registry whose pull limit is reached: it answers as Docker Hub does, and serves nothing."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _RateLimitedAnswer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def reference(self, name: str) -> str:
        return f"127.0.0.1:{self.server_port}/{name}"

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class _RateLimitedAnswer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/v2/":
            self._answer(200, {})
            return
        message = (
            "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: "
            "https://www.docker.com/increase-rate-limit"
        )
        self._answer(429, {"errors": [{"code": "TOOMANYREQUESTS", "message": message}]})

    do_HEAD = do_GET

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def offer_for_arm_alone(reference: str) -> str:
    """Put a manifest list that names arm64 only over an image that was pushed; returns the reference of the list."""
    server, _, rest = reference.partition("/")
    name, _, tag = rest.rpartition(":")
    address = f"http://{server}/v2/{name}/manifests/"
    asked = urllib.request.Request(address + tag, headers={"Accept": _MANIFEST})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        manifest, digest = answer.read(), answer.headers["Docker-Content-Digest"]
    listed = {
        "schemaVersion": 2,
        "mediaType": _LIST,
        "manifests": [
            {
                "mediaType": _MANIFEST,
                "size": len(manifest),
                "digest": digest,
                "platform": {"architecture": "arm64", "os": "linux", "variant": "v8"},
            }
        ],
    }
    put = urllib.request.Request(
        address + "arm", data=json.dumps(listed).encode(), headers={"Content-Type": _LIST}, method="PUT"
    )
    urllib.request.urlopen(put, timeout=30).close()
    return f"{server}/{name}:arm"
