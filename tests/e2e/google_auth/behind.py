"""The way from the recorder to the stand-in, which verifies what it is sent."""

import http.client
import ssl

from endpoints import Answer, Asked

from support.world.standin import Standin

OAUTH, STS = "oauth2.googleapis.com", "sts.googleapis.com"
IAM, METADATA = "iamcredentials.googleapis.com", "metadata.google.internal"
# AWS' and Azure's metadata server.
MACHINE = "169.254.169.254"
_TOLD = ("content-type", "metadata-flavor")


class Behind:
    """Hands over what a client asked, as it came; knows who gave which token."""

    def __init__(self, standin: Standin) -> None:
        self._ports = {
            OAUTH: standin.ports["oauth2_https"],
            STS: standin.ports["sts_https"],
            IAM: standin.ports["iamcredentials_https"],
            METADATA: standin.ports["metadata_http"],
            MACHINE: standin.ports["machine_http"],
        }
        self._trust = ssl.create_default_context(cafile=standin.ca)
        self._given: list[tuple[str, str]] = []

    def __call__(self, asked: Asked) -> Answer:
        if asked.host not in self._ports:
            return Answer(status=404)
        port = self._ports[asked.host]
        if asked.host in (METADATA, MACHINE):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        else:
            connection = http.client.HTTPSConnection(
                "localhost", port, timeout=10, context=self._trust
            )
        try:
            connection.request(
                asked.method, asked.path, asked.body or None, asked.headers, encode_chunked=True
            )
            response = connection.getresponse()
            text = response.read().decode()
            headers = {name: response.headers[name] for name in _TOLD if name in response.headers}
        finally:
            connection.close()
        self._given.append((asked.host, text))
        return Answer(text, response.status, headers)

    def giver(self, token: str) -> str | None:
        """The host that gave this token last."""
        return next((host for host, text in reversed(self._given) if token in text), None)
