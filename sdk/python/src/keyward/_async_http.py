"""The transport for asyncio: HTTP/1.1 over asyncio's streams, keep-alive, also over a unix socket. RFC 9112."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from typing import AsyncIterator, Dict, List, Mapping, Optional, Tuple

from ._call import MAX_ANSWER, Answer, Base
from .errors import ConnectionFailed, ProtocolError

_STATUS = re.compile(r"^[0-9]{3}$")
_CHUNK = re.compile(rb"^[0-9A-Fa-f]{1,15}$")
_IDLE = 30.0
_MOST_HEAD = 64 << 10
_PIECE = 1 << 16


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.loop = asyncio.get_running_loop()
        self.since = 0.0

    def close(self) -> None:
        self.writer.close()

    @property
    def open(self) -> bool:
        return not self.writer.is_closing() and not self.reader.at_eof()


class AsyncStream:
    """AsyncStream is the body of an answer that is read piece by piece. Read it to the end, or close it."""

    def __init__(self, transport: AsyncTransport, connection: _Connection, head: _Head) -> None:
        self._transport = transport
        self._connection: Optional[_Connection] = connection
        self._head = head

    async def __aiter__(self) -> AsyncIterator[bytes]:
        connection = self._connection
        if connection is None:
            return
        whole = False
        try:
            async for piece in self._head.pieces(connection.reader):
                yield piece
            whole = True
        except (OSError, asyncio.IncompleteReadError) as error:
            raise ConnectionFailed(f"the answer broke off: {type(error).__name__}") from error
        finally:
            self._connection = None
            self._transport.give_back(connection, whole and self._head.keep)

    async def close(self) -> None:
        """close ends the connection, if the body was not read to its end."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self._transport.give_back(connection, False)

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Head:
    """_Head is the status line and the fields of an answer, and the framing of its body (RFC 9112, section 6.3)."""

    def __init__(self, status: int, version: str, headers: Dict[str, str], no_body: bool) -> None:
        self.status = status
        self.headers = headers
        self.chunked = headers.get("transfer-encoding", "").lower().endswith("chunked")
        self.length: Optional[int] = None
        if no_body or status in (204, 304):
            self.length, self.chunked = 0, False
        elif not self.chunked and "content-length" in headers:
            text = headers["content-length"]
            if not (text.isascii() and text.isdigit()):
                raise ProtocolError("the answer's Content-Length is not a number")
            self.length = int(text)
        closes = "close" in headers.get("connection", "").lower()
        self.keep = version == "HTTP/1.1" and not closes and (self.chunked or self.length is not None)

    async def pieces(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        if self.chunked:
            while True:
                line = (await reader.readline()).split(b";")[0].strip()
                if not _CHUNK.match(line):
                    raise ProtocolError("the answer's chunks are not framed")
                size = int(line, 16)
                if size == 0:
                    while (await reader.readline()).strip():
                        pass
                    return
                for n in _parts(size):
                    yield await reader.readexactly(n)
                await reader.readexactly(2)
        elif self.length is not None:
            for n in _parts(self.length):
                yield await reader.readexactly(n)
        else:
            while True:
                piece = await reader.read(_PIECE)
                if not piece:
                    return
                yield piece


def _parts(size: int) -> List[int]:
    return [_PIECE] * (size // _PIECE) + ([size % _PIECE] if size % _PIECE else [])


class AsyncTransport:
    """AsyncTransport sends requests to one server, from one event loop."""

    def __init__(self, base: Base, timeout: float, tls: Optional[ssl.SSLContext], most_idle: int = 32) -> None:
        self._base = base
        self._timeout = timeout
        self._tls = tls
        self._most_idle = most_idle
        self._idle: List[_Connection] = []
        self._closed = False

    async def send(
        self, method: str, target: str, headers: Mapping[str, str], body: Optional[bytes], left: Optional[float] = None
    ) -> Answer:
        """send gives the answer. left: seconds that there are at most, where that is less than the client's timeout."""
        most = self._timeout if left is None else max(0.0, min(left, self._timeout))
        try:
            return await asyncio.wait_for(self._send(method, target, headers, body), most)
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise ConnectionFailed("the server did not answer in time") from error

    async def _send(self, method: str, target: str, headers: Mapping[str, str], body: Optional[bytes]) -> Answer:
        connection, head = await self._begin(method, target, headers, body)
        data, whole = bytearray(), False
        try:
            async for piece in head.pieces(connection.reader):
                data += piece
                if len(data) > MAX_ANSWER:
                    raise ProtocolError(f"the answer is larger than {MAX_ANSWER} bytes")
            whole = True
        except (OSError, asyncio.IncompleteReadError) as error:
            raise ConnectionFailed(f"the answer broke off: {type(error).__name__}") from error
        finally:
            self.give_back(connection, whole and head.keep)
        return Answer(head.status, head.headers, bytes(data))

    async def stream(
        self, method: str, target: str, headers: Mapping[str, str], body: Optional[bytes]
    ) -> Tuple[Answer, AsyncStream]:
        try:
            connection, head = await asyncio.wait_for(self._begin(method, target, headers, body), self._timeout)
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise ConnectionFailed("the server did not answer in time") from error
        stream = AsyncStream(self, connection, head)
        data = b""
        if not 200 <= head.status < 300:
            data = b"".join([piece async for piece in stream])
        return Answer(head.status, head.headers, data), stream

    async def _begin(
        self, method: str, target: str, headers: Mapping[str, str], body: Optional[bytes]
    ) -> Tuple[_Connection, _Head]:
        connection = await self._take()
        done = False
        try:
            lines = [f"{method} {self._base.prefix}{target} HTTP/1.1"]
            lines += [f"{name}: {text}" for name, text in headers.items()]
            if body is not None:
                lines.append(f"Content-Length: {len(body)}")
            connection.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b""))
            await connection.writer.drain()
            head = await self._read_head(connection.reader, method == "HEAD")
            done = True
            return connection, head
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise ConnectionFailed(f"the server cannot be reached: {type(error).__name__}") from error
        finally:
            if not done:
                connection.close()

    @staticmethod
    async def _read_head(reader: asyncio.StreamReader, no_body: bool) -> _Head:
        while True:
            raw = await reader.readuntil(b"\r\n\r\n")
            first, *rest = raw.decode("latin-1").split("\r\n")
            parts = first.split(" ", 2)
            if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not _STATUS.match(parts[1]):
                raise ProtocolError("the answer is not HTTP/1.1")
            status = int(parts[1])
            if 100 <= status < 200:
                continue
            headers: Dict[str, str] = {}
            for line in rest:
                name, colon, text = line.partition(":")
                if colon:
                    name = name.strip().lower()
                    headers[name] = headers[name] + ", " + text.strip() if name in headers else text.strip()
            return _Head(status, parts[0], headers, no_body)

    async def _take(self) -> _Connection:
        if self._closed:
            raise ConnectionFailed("the client is closed")
        if any(kept.loop is not asyncio.get_running_loop() for kept in self._idle):
            self._idle = []  # their loop has ended: asyncio.run was called once more, or this process was forked
        while self._idle:
            connection = self._idle.pop()
            if time.monotonic() - connection.since < _IDLE and connection.open:
                return connection
            connection.close()
        base = self._base
        try:
            if base.socket:
                return _Connection(*await asyncio.open_unix_connection(base.socket, limit=_MOST_HEAD))
            tls = (self._tls or ssl.create_default_context()) if base.scheme == "https" else None
            return _Connection(*await asyncio.open_connection(base.host, base.port, ssl=tls, limit=_MOST_HEAD))
        except OSError as error:
            raise ConnectionFailed(f"the server cannot be reached: {type(error).__name__}: {error}") from error

    def give_back(self, connection: _Connection, reusable: bool) -> None:
        if reusable and not self._closed and len(self._idle) < self._most_idle:
            connection.since = time.monotonic()
            self._idle.append(connection)
        else:
            connection.close()

    async def close(self) -> None:
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
