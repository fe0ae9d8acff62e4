# SPDX-License-Identifier: MIT
"""A blob service that keeps hashes only: of each block, and the block list of each blob."""
import dataclasses
import hashlib
import http.server
import re
import threading
import urllib.parse


@dataclasses.dataclass
class Committed:
    blocks: list  # ids in the list's order
    metadata: dict


class Sink:
    """blocks[id] = (bytes, SHA-256); committed[path]."""

    def __init__(self):
        self.blocks, self.committed, self.puts = {}, {}, 0
        self.lock = threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}/account"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def environment(self):
        secret = f"AccountName=account;AccountKey=bm9uZQ==;BlobEndpoint={self.endpoint}"
        return {"AZURE_STORAGE_CONNECTION_STRING": secret}

    def put(self, path, query, headers, n, digest, body):
        with self.lock:
            self.puts += 1
            if query.get("comp") == ["block"]:
                self.blocks[query["blockid"][0]] = (n, digest)
            else:
                ids = re.findall(rb"<(?:Latest|Uncommitted)>([^<]+)<", body)
                items = {k[10:].lower(): v for k, v in headers.items() if k.lower().startswith("x-ms-meta-")}
                self.committed[path] = Committed([i.decode() for i in ids], items)
            return f'"0x{self.puts:X}"'

    def _handler(self):
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body=b"", etag='"0x0"'):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", etag)
                self.send_header("Last-Modified", "Thu, 26 Nov 2026 15:04:05 GMT")
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                url = urllib.parse.urlsplit(self.path)
                told = (urllib.parse.parse_qs(url.query), self.headers, len(body), hashlib.sha256(body).digest())
                self.answer(201, etag=sink.put(url.path, *told, body))

            def do_HEAD(self):
                self.send_error(404)

            def do_GET(self):
                empty = b'<?xml version="1.0"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>'
                self.answer(200, empty)

            def log_message(self, *_):
                pass

        return Handler
