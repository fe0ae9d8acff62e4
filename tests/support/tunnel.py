# SPDX-License-Identifier: MIT
"""A proxy that tunnels real host names to servers of the test, for proxy=: so TLS and names stay as in the cloud.

    with Tunnel({"shop.documents.azure.com": cosmos.port}) as tunnel:
        mount(source, f"proxy={tunnel.url}")

What it does not know it connects to as told, on the loopback only.
"""
import contextlib
import re
import socket
import threading


class Tunnel:
    def __init__(self, hosts):
        self._hosts = dict(hosts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = []
        #: What clients asked for, "host:port" each.
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        for s in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(4096)
                if not piece:
                    return
                head += piece
            host, port = re.match(rb"CONNECT ([^: ]+):(\d+) ", head).groups()
            self.asked.append(f"{host.decode()}:{port.decode()}")
            server = self._connect(host.decode(), int(port))
            client.sendall(b"HTTP/1.1 %s\r\n\r\n" % (b"200 tunnel" if server else b"502 unknown host"))
            if server is None:
                client.close()
                return
            self._open.append(server)
            threading.Thread(target=_copy, args=(server, client), daemon=True).start()
            _copy(client, server)

    def _connect(self, host, port):
        if host in self._hosts:
            return socket.create_connection(("127.0.0.1", self._hosts[host]))
        return socket.create_connection((host, port)) if host in ("127.0.0.1", "localhost") else None


def _copy(source, target):
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
