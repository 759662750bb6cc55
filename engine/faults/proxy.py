"""TCP proxy with faults. It knows just enough of HTTP/1.1 to answer 503 in place of the target."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

from engine.faults.fault_settings import ActiveFaults

_CHUNK = 65_536
_LOOK = 0.05  # seconds between two looks whether a stall is over
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n"
    b"connection: close\r\n\r\nfault proxy\r\n"
)
_METHODS = (b"GET ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"HEAD ", b"OPTIONS ")


class FaultProxy:
    """TCP proxy that passes everything through, and harms it as the active faults say."""

    def __init__(self, upstream: tuple[str, int], ward: ActiveFaults) -> None:
        self._upstream, self._ward = upstream, ward
        self._server: asyncio.Server | None = None
        self._live: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which is chosen by the system where 0 is asked for."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=_CHUNK)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Cut every connection."""
        assert self._server is not None  # noqa: S101 - started
        self._server.close()
        for task in list(self._live):
            task.cancel()
        await asyncio.gather(*self._live, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a callback of a server is a task
        self._live.add(task)
        task.add_done_callback(self._live.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ward = self._ward
        hole = ward.draw(ward.current.black_hole)
        there_reader, there_writer = await asyncio.open_connection(*self._upstream)
        answers = asyncio.create_task(self._answers(there_reader, writer, hole=hole))
        try:
            while data := await reader.read(_CHUNK):
                if ward.draw(ward.current.reset):
                    _reset(writer)
                    return
                if data.startswith(_METHODS) and ward.draw(ward.current.errors):
                    writer.write(_REFUSAL)
                    await writer.drain()
                    return
                await self._stalled()
                there_writer.write(data)
                await there_writer.drain()
            if there_writer.can_write_eof():
                there_writer.write_eof()
            await answers
        finally:
            answers.cancel()
            there_writer.close()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, hole: bool) -> None:
        ward = self._ward
        while data := await reader.read(_CHUNK):
            if hole and ward.current.black_hole:
                continue
            wait = ward.current.latency + ward.dice.uniform(0, ward.current.jitter)
            if wait:
                await asyncio.sleep(wait)
            await self._stalled()
            await self._slowly(data, writer)
        writer.close()

    async def _slowly(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        while data:
            rate = self._ward.current.bandwidth
            piece = data if not rate else data[: max(1, int(rate / 10))]
            writer.write(piece)
            await writer.drain()
            data = data[len(piece) :]
            if rate:
                await asyncio.sleep(len(piece) / rate)

    async def _stalled(self) -> None:
        while self._ward.current.stall:  # noqa: ASYNC110 - it ends by time alone
            await asyncio.sleep(_LOOK)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN: linger of zero seconds."""
    found: socket.socket | None = writer.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
