"""The load clients, at a server that answers as told."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.clients import Connection, Session, UnexpectedAnswer, drive


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent: whole, in chunks, or with an error, as the path says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body += self.headers["Cookie"].encode() + self.headers["X-CSRFToken"].encode()
        self.send_response(500 if self.path == "/error" else 201)
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (body[:3], body[3:]):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def session() -> Iterator[Session]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever).start()
        yield Session(server.server_port, {"sessionid": "s", "csrftoken": "t"})
        server.shutdown()


@pytest.mark.parametrize("path", ["/whole", "/chunks"])
def test_a_kept_connection_reads_one_answer_after_the_other(session, path):
    connection = Connection(session.port)
    bodies = [connection.answer(session.request("POST", path, word)) for word in (b"first", b"second")]
    connection.close()
    assert bodies == [b"firstsessionid=s; csrftoken=tt", b"secondsessionid=s; csrftoken=tt"]


def test_every_request_of_every_client_is_timed(session):
    load = drive(session.port, [[session.request("POST", "/whole", b"x")] * 5] * 3)
    assert len(load.latencies) == 15
    assert 0 < max(load.latencies) <= load.elapsed


def test_a_refused_request_ends_the_measurement_with_the_servers_words(session):
    requests = [[session.request("POST", "/whole", b"x")], [session.request("POST", "/error", b"broken")]]
    with pytest.raises(UnexpectedAnswer, match=r"500.*broken"):
        drive(session.port, requests)
