"""A server that gives scripted answers, one for each request."""

import json
import socket
import socketserver
import threading
import time


class Scripted:
    """Scripted listens on a free port of the loopback. requests holds the heads of the requests that it has seen."""

    def __init__(self, answers):
        self.requests = []
        self.closed = threading.Event()  # an answer with "close" was given
        answers = list(answers)
        lock = threading.Lock()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while True:
                    head = b""
                    while not head.endswith(b"\r\n\r\n"):
                        line = self.rfile.readline()
                        if not line:
                            return
                        head += line
                    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line)
                    self.rfile.read(int(fields.get("Content-Length", 0)))
                    with lock:
                        outer.requests.append(fields)
                        answer = answers.pop(0) if answers else {"status": 500, "text": "no answer is left"}
                    if not self.give(answer):
                        return

            def give(self, answer):
                time.sleep(answer.get("delayMs", 0) / 1000)
                if answer.get("drop"):
                    return False
                body = answer["text"].encode() if "text" in answer else json.dumps(answer["body"]).encode()
                headers = {"Content-Length": str(len(body) + (10 if answer.get("cut") else 0)), **answer.get("headers", {})}
                head = f"HTTP/1.1 {answer['status']} X\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items()) + "\r\n"
                try:
                    self.wfile.write(head.encode() + body)
                except OSError:
                    return False
                if answer.get("close"):  # as a server does with a connection that was idle for long
                    self.connection.shutdown(socket.SHUT_RDWR)
                    outer.closed.set()
                return not answer.get("cut") and not answer.get("close")

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
