"""The listening side of a proxy, whatever it speaks."""

from __future__ import annotations

import socket
import socketserver

from sfcutover.emulator.connections import BACKLOG, Connections, TrackingMixIn
from sfcutover.emulator.egress import Egress
from sfcutover.emulator.server import HOST


class ProxyServer(TrackingMixIn, socketserver.TCPServer):
    """A proxy on a port of its own; egress is where its traffic leaves."""

    allow_reuse_address = True
    request_queue_size = BACKLOG

    def __init__(self, egress: Egress, handler: type[socketserver.BaseRequestHandler]) -> None:
        self.connections = Connections()
        self.egress = egress
        super().__init__((HOST, 0), handler)
        self.port = int(self.socket.getsockname()[1])

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close it, so that a connection that is to be reset is."""
        self.close_request(request)
