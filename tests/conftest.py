"""Its being here makes the servers in this folder importable by the tests of all parts."""

import pytest
from scripted_server import ScriptedServer


@pytest.fixture
def served():
    """Serves scripts for the time of a test."""
    servers = []

    def serve(script):
        servers.append(ScriptedServer(script).__enter__())
        return servers[-1]

    yield serve
    for server in servers:
        server.__exit__()
