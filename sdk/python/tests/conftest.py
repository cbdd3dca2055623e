"""A real server for the tests. KEYWARD_BINARY names its program; without it `make build` is needed."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest
from keyward import Keyward

ROOT = Path(__file__).resolve().parents[3]


class Server:
    """Server is a running Keyward: its URL, its root key, a workspace and its owner."""

    def __init__(self, url, root, workspace):
        self.url, self.root, self.workspace = url, root, workspace
        self.owner = "ada"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    binary = os.environ.get("KEYWARD_BINARY", str(ROOT / "bin" / "keyward"))
    folder = tmp_path_factory.mktemp("keyward")
    root = subprocess.run([binary, "rootkey"], check=True, capture_output=True, text=True).stdout.split()[-1]
    port = free_port()
    env = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "KEYWARD_ADDR": f"127.0.0.1:{port}",
        "KEYWARD_DATABASE_URL": f"sqlite:{folder}/keyward.db", "KEYWARD_ROOT_KEY": root,
        "KEYWARD_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([binary, "serve"], env=env, stdout=log, stderr=log, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    try:
        with Keyward(url, root) as client:
            deadline = time.monotonic() + 60
            while not client.ready():
                assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
            made = client.workspaces.create(name="Acme", owner={"userId": "ada", "email": "ada@example.com"})
        yield Server(url, root, made.id)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def client(server):
    with Keyward(server.url, server.root) as c:
        yield c


@pytest.fixture(scope="session")
def document():
    """The API's document, as JSON."""
    import yaml

    return json.loads(json.dumps(yaml.safe_load((ROOT / "api" / "openapi.yaml").read_text()), default=str))
