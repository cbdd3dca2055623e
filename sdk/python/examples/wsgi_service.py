"""A WSGI service that answers who calls. Start it with KEYWARD_URL and KEYWARD_TOKEN (a service key with the scope verify)."""

import json
import os
from wsgiref.simple_server import make_server

from keyward import Keyward
from keyward.wsgi import require


def application(environ, start_response):
    caller = environ["keyward.caller"]
    body = json.dumps({"workspace": caller.workspace_id, "key": caller.key_id}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def main():
    keyward = Keyward(os.environ.get("KEYWARD_URL", "http://127.0.0.1:8080"), os.environ["KEYWARD_TOKEN"])
    guarded = require(keyward, ["calls:read"], environment="live")(application)
    with make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), guarded) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
