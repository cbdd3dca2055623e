"""The blocking transport: keep-alive connections of http.client in a pool, also over a unix socket."""

from __future__ import annotations

import http.client
import os
import selectors
import socket
import ssl
import threading
import time
from typing import Any, Iterator, List, Mapping, Optional, Tuple

from ._call import MAX_ANSWER, Answer, Base
from .errors import ConnectionFailed, ProtocolError

_IDLE = 30.0  # seconds: shorter than a server's own idle limit of a minute, so that a call does not meet a closing connection


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Stream:
    """Stream is the body of an answer that is read piece by piece. Read it to the end, or close it."""

    def __init__(self, transport: Transport, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._transport = transport
        self._connection: Optional[http.client.HTTPConnection] = connection
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        try:
            while True:
                piece = self._response.read(1 << 16)
                if not piece:
                    break
                yield piece
            if self._response.length:
                raise ConnectionFailed("the answer broke off")
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionFailed(f"the answer broke off: {type(error).__name__}") from error
        finally:
            self.close()

    def close(self) -> None:
        """close ends the connection, if the body was not read to its end."""
        if self._connection is not None:
            whole = self._response.isclosed()
            connection, self._connection = self._connection, None
            self._transport.give_back(connection, whole and not self._response.will_close)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Transport:
    """Transport sends requests to one server. It is safe for use by several threads."""

    def __init__(self, base: Base, timeout: float, tls: Optional[ssl.SSLContext], most_idle: int = 32) -> None:
        self._base = base
        self._timeout = timeout
        self._tls = tls
        self._most_idle = most_idle
        self._lock = threading.Lock()
        self._idle: List[Tuple[float, http.client.HTTPConnection]] = []
        self._process = os.getpid()
        self._closed = False

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: Optional[bytes], left: Optional[float] = None
    ) -> Answer:
        """send gives the answer. left: seconds that there are at most, where that is less than the client's timeout."""
        connection, response = self._begin(method, target, headers, body, left)
        try:
            data = response.read(MAX_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ConnectionFailed(f"the answer broke off: {type(error).__name__}") from error
        if len(data) <= MAX_ANSWER and response.length:
            # read(n) gives a body that was cut as if it were whole; length is the part that is missing.
            connection.close()
            raise ConnectionFailed("the answer broke off")
        if len(data) > MAX_ANSWER:
            connection.close()
            raise ProtocolError(f"the answer is larger than {MAX_ANSWER} bytes")
        self.give_back(connection, not response.will_close)
        return Answer(response.status, {name.lower(): text for name, text in response.getheaders()}, data)

    def stream(self, method: str, target: str, headers: Mapping[str, str], body: Optional[bytes]) -> Tuple[Answer, Stream]:
        connection, response = self._begin(method, target, headers, body)
        head = {name.lower(): text for name, text in response.getheaders()}
        if not 200 <= response.status < 300:
            data = response.read(MAX_ANSWER)
            self.give_back(connection, not response.will_close)
            return Answer(response.status, head, data), Stream(self, connection, response)
        return Answer(response.status, head, b""), Stream(self, connection, response)

    def _begin(
        self, method: str, target: str, headers: Mapping[str, str], body: Optional[bytes], left: Optional[float] = None
    ) -> Tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = self._take()
        connection.timeout = self._timeout if left is None else max(0.001, min(left, self._timeout))
        if connection.sock is not None:
            connection.sock.settimeout(connection.timeout)
        try:
            connection.request(method, self._base.prefix + target, body=body, headers=dict(headers))
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            # The request may have been carried out, also on a kept connection: only the caller knows whether to repeat it.
            connection.close()
            raise ConnectionFailed(_reason(error)) from error

    def _take(self) -> http.client.HTTPConnection:
        now = time.monotonic()
        with self._lock:
            if self._closed:
                raise ConnectionFailed("the client is closed")
            if self._process != os.getpid():
                # A fork shares the connections: an answer to the other process could be taken for one's own.
                self._process, self._idle = os.getpid(), []
            while self._idle:
                since, connection = self._idle.pop()
                if now - since < _IDLE and _open(connection):
                    return connection
                connection.close()
        return self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        base = self._base
        if base.socket:
            return _UnixConnection(base.socket, self._timeout)
        if base.scheme == "https":
            context = self._tls or ssl.create_default_context()
            return http.client.HTTPSConnection(base.host, base.port, timeout=self._timeout, context=context)
        return http.client.HTTPConnection(base.host, base.port, timeout=self._timeout)

    def give_back(self, connection: http.client.HTTPConnection, reusable: bool) -> None:
        with self._lock:
            if reusable and not self._closed and len(self._idle) < self._most_idle:
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()


def _open(connection: http.client.HTTPConnection) -> bool:
    """_open tells whether a kept connection is still open: one that has become readable was closed by the server."""
    if connection.sock is None:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(connection.sock, selectors.EVENT_READ)
        return not selector.select(0)


def _reason(error: Any) -> str:
    if isinstance(error, (socket.timeout, TimeoutError)):
        return "the server did not answer in time"
    return f"the server cannot be reached: {type(error).__name__}: {error}"
