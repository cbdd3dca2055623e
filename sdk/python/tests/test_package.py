"""The README's program, the example and the built package, as a stranger uses them."""

import ast
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from conftest import free_port

HERE = Path(__file__).resolve().parents[1]


def run(code, server, path):
    env = {**os.environ, "PYTHONPATH": str(path), "KEYWARD_TOKEN": server.root, "KEYWARD_URL": server.url}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)


def test_the_first_minute_of_the_readme(server):
    block = re.findall(r"```python\n(.*?)```", (HERE / "README.md").read_text(), re.S)[0]
    done = run(block.replace("http://127.0.0.1:8080", server.url), server, HERE / "src")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split()
    assert lines[0].startswith("kw_live_") and lines[1:] == ["VALID", "NOT_FOUND"]


def test_the_guard_of_the_readme_starts(server):
    block = re.findall(r"```python\n(.*?)```", (HERE / "README.md").read_text(), re.S)[1]
    done = run(block + "\nprint(len(app.routes))", server, HERE / "src")
    assert done.returncode == 0, done.stderr


def test_the_example_answers_a_good_key_alone(server, client):
    port = free_port()
    env = {**os.environ, "PYTHONPATH": str(HERE / "src"), "KEYWARD_TOKEN": server.root, "KEYWARD_URL": server.url, "PORT": str(port)}
    process = subprocess.Popen([sys.executable, str(HERE / "examples" / "wsgi_service.py")], env=env, stderr=subprocess.DEVNULL)
    try:
        made = client.keys.create(name="e", user_id="ada", workspace_id=server.workspace, permissions=["calls:read"])
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Authorization": "Bearer " + made.key.reveal()})
        for _ in range(200):
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    assert server.workspace in answer.read().decode()
                break
            except urllib.error.URLError:
                time.sleep(0.05)
        else:
            raise AssertionError("the example does not answer")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
            raise AssertionError("a request without a key got through")
        except urllib.error.HTTPError as refused:
            assert refused.code == 401
    finally:
        process.terminate()
        process.wait(10)


def test_the_wheel_is_installed_and_works_and_has_the_same_bytes_each_time(server, tmp_path):
    built = []
    for name in ("a", "b"):
        out = tmp_path / name
        subprocess.run([sys.executable, str(HERE / "scripts" / "build.py"), str(out)], check=True, capture_output=True)
        built.append({p.name: p.read_bytes() for p in out.iterdir()})
    assert built[0] == built[1] and len(built[0]) == 2
    wheel = next(p for p in (tmp_path / "a").iterdir() if p.suffix == ".whl")
    target = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(target)], check=True)
    done = run("import keyward, os\nprint(keyward.Keyward(os.environ['KEYWARD_URL'], os.environ['KEYWARD_TOKEN']).ready())", server, target)
    assert done.stdout.strip() == "True", done.stderr


def test_types_are_strict():
    done = subprocess.run(
        ["mypy", "--python-version", "3.9", "--cache-dir", os.devnull, "src/keyward"], cwd=HERE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_every_file_has_the_syntax_of_python_3_9():
    files = [path for part in ("src", "scripts", "examples", "tests") for path in sorted((HERE / part).rglob("*.py"))]
    assert len(files) > 25
    for path in files:
        ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))
