"""A service that listens: for a while beside a notebook, or until it is stopped."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from digitlab.environment import require

require("uvicorn", extra="serve")

import uvicorn  # noqa: E402
from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: E402

if TYPE_CHECKING:
    from fastapi import FastAPI

HEADERS_S = 10.0  # how long a connection may be open without a whole request
N_CONNECTIONS = 500
STOP_S = 20  # how long what was taken is answered after the stop
BACKLOG = 128


class _Impatient(H11Protocol):
    """A connection that is closed if no request comes: uvicorn would wait for ever."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect(None)

    def on_response_complete(self) -> None:
        answered = self.cycle
        super().on_response_complete()
        self._deadline.cancel()
        self._expect(answered)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def _expect(self, before: Any) -> None:
        self._deadline = self.loop.call_later(HEADERS_S, self._give_up, before)

    def _give_up(self, before: Any) -> None:
        if self.cycle is before:
            self.transport.close()


def listen(host: str = "127.0.0.1", port: int = 8000) -> socket.socket:
    """Open a socket to listen on.

    Parameters
    ----------
    host : str
        A name or an address of this machine; the default cannot be reached from any other.
    port : int
        0 takes one that is free.

    Returns
    -------
    socket.socket
        For `run`.

    Raises
    ------
    OSError
        If the port is taken or there is no such address; the message says what to do.

    Examples
    --------
    >>> with listen(port=0) as open_socket:
    ...     open_socket.getsockname()[0]
    '127.0.0.1'
    """
    # With another protocol number, such as 0, asyncio leaves Nagle's algorithm on: 40 ms an answer.
    wanted = {"type": socket.SOCK_STREAM, "proto": socket.IPPROTO_TCP}
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, **wanted)[0]
        with ExitStack() as stack:
            listener = stack.enter_context(socket.socket(family, kind, protocol))
            if os.name == "posix":  # else a port that was just left stays taken for a minute
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(BACKLOG)
            stack.pop_all()
            return listener
    except (OSError, OverflowError, UnicodeError) as error:
        raise OSError(
            f"cannot listen on {host}, port {port} ({getattr(error, 'strerror', error)}): choose "
            "another --port, or an address of this machine as --host"
        ) from error


def run(application: "FastAPI", listener: socket.socket) -> None:
    """Answer until SIGTERM or Ctrl-C; what was taken before is still answered.

    Parameters
    ----------
    application : fastapi.FastAPI
        From `app`.
    listener : socket.socket
        From `listen`; it is closed in the end.
    """
    _server(application).run(sockets=[listener])


@contextmanager
def started(application: "FastAPI") -> Iterator[str]:
    """Run a service in a thread, on a free port that only this machine can reach.

    Parameters
    ----------
    application : fastapi.FastAPI
        From `app`.

    Yields
    ------
    str
        Its address, such as ``"http://127.0.0.1:41234"``. Afterwards it is stopped.

    Notes
    -----
    Taught in chapter 17.

    Examples
    --------
    >>> import requests
    >>> from fastapi import FastAPI
    >>> with started(FastAPI()) as url:
    ...     requests.get(f"{url}/nothing").status_code
    404
    """
    server, listener = _server(application), listen(port=0)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the service did not start")
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _server(application: "FastAPI") -> uvicorn.Server:
    """Return a server that writes nothing but its own errors."""
    config = uvicorn.Config(
        application,
        http=_Impatient,
        ws="none",
        loop="asyncio",
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=N_CONNECTIONS,
        timeout_graceful_shutdown=STOP_S,
    )
    return uvicorn.Server(config)
