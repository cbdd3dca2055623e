"""The calls that the API reference shows in Python fit the client's methods."""

import ast
import inspect
from pathlib import Path

import pytest
from keyward import Keyward

TEXT = (Path(__file__).resolve().parents[3] / "api" / "samples.txt").read_text()
CALLS = [line[3:] for line in TEXT.splitlines() if line.startswith("py ")]


@pytest.mark.parametrize("call", CALLS)
def test_a_call_fits_its_method(call):
    node = next(n for n in ast.walk(ast.parse(call)) if isinstance(n, ast.Call))
    with Keyward("http://127.0.0.1:1", "kw_svc_x") as client:
        method = client
        for name in ast.unparse(node.func).split(".")[1:]:
            method = getattr(method, name)
        inspect.signature(method).bind(*node.args, **{k.arg: k.value for k in node.keywords})


def test_there_are_calls():
    assert len(CALLS) > 45


# The variables that the samples use beside the client.
VARIABLES = {
    "id", "key", "workspace_id", "user_id", "role_id", "removal_id", "delivery_id", "code", "client_secret", "proof", "nonce", "cursor",
    "incarnation", "key_id",
}


def test_the_calls_use_known_variables():
    loaded = {
        node.id for call in CALLS for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    assert loaded - {"keyward"} == VARIABLES
