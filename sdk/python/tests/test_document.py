"""The package against the API's document: every operation, every parameter, and generated files up to date."""

import ast
from pathlib import Path

import generate

PACKAGE = Path(generate.PACKAGE)

# Operations for browsers, gateways and machines that no program calls through a client.
NOT_CALLED = {
    "getFrontPage", "checkRequest", "getMetrics", "getOpenapi", "getReference", "getReferenceFile",
}


def called():
    """called gives the operations of the calls that the client makes."""
    out = set()
    for node in ast.walk(ast.parse((PACKAGE / "_async.py").read_text())):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        if getattr(node.func, "id", "") in ("Call", "_usage") or getattr(node.func, "attr", "") in ("_rotate", "_probe"):
            out.add(node.args[0].value)
    return out


def test_every_operation_is_there(document):
    wanted = {op["operationId"] for item in document["paths"].values() for name, op in item.items() if name != "parameters"}
    assert called() == wanted - NOT_CALLED


def test_every_query_parameter_is_there(document):
    text = (PACKAGE / "_async.py").read_text()
    for item in document["paths"].values():
        for name, op in item.items():
            if name == "parameters" or op["operationId"] in NOT_CALLED:
                continue
            for p in [*item.get("parameters", []), *op.get("parameters", [])]:
                if "$ref" in p:
                    p = document["components"]["parameters"][p["$ref"].rsplit("/", 1)[1]]
                if p["in"] == "query":
                    assert f'"{p["name"]}"' in text, f"{op['operationId']} {p['name']}"


def test_generated_files_are_up_to_date():
    assert (PACKAGE / "_models.py").read_text() == generate.models(), "run scripts/generate.py"
    assert (PACKAGE / "_sync.py").read_text() == generate.sync(), "run scripts/generate.py"
