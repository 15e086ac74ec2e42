"""A network between two processes that can stall: what is sent then goes nowhere."""

from __future__ import annotations

import contextlib
import socket
import threading


class Relay:
    """Takes connections at an address of its own, and passes what they send on to another."""

    def __init__(self, to: str):
        """Begins at once; `to` need not listen yet."""
        host, port = to.split(':')
        self._to = host, int(port)
        self._server = socket.create_server(('127.0.0.1', 0))
        self.address = f'127.0.0.1:{self._server.getsockname()[1]}'
        self._passes = threading.Event()
        self._passes.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """Keeps all connections and takes new ones, and passes nothing on any more."""
        self._passes.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._server.accept()
                try:
                    far = socket.create_connection(self._to)
                except OSError:
                    near.close()
                    continue
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := one.recv(1 << 16):
                self._passes.wait()
                other.sendall(content)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
