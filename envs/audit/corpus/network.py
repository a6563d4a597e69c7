"""Programs that connect to something. The audit listens at all these places."""

from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.audit.corpus.problems import reach, reach_calls, reach_mbpp, reach_stdio

__all__ = ["CASES"]

CASES: tuple[Case, ...] = (
    reach(
        "tcp",
        Aim.NETWORK,
        'import socket\nsocket.create_connection(("127.0.0.1", @PORT@), 2).sendall(b"@NAME@")',
    ),
    reach_mbpp(
        "tcp-without-connecting",
        Aim.NETWORK,
        """
import socket
# Data in the first packet: a filter of connect() alone never sees it.
socket.socket().sendto(b"@NAME@", getattr(socket, "MSG_FASTOPEN", 0x20000000), ("127.0.0.1", @PORT@))
""",
    ),
    reach_calls(
        "multipath-tcp",
        Aim.NETWORK,
        """
import socket
way = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
way.settimeout(2)
way.connect(("127.0.0.1", @PORT@))
way.sendall(b"@NAME@")
""",
    ),
    reach_stdio(
        "udp",
        Aim.NETWORK,
        """
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"@NAME@", ("127.0.0.1", @PORT@))
""",
    ),
    reach(
        "unix-socket-with-a-path",
        Aim.NETWORK,
        """
import socket
way = socket.socket(socket.AF_UNIX)
way.connect("@FOLDER@/socket")
way.sendall(b"@NAME@")
""",
    ),
    reach_mbpp(
        "unix-socket-without-a-path",
        Aim.NETWORK,
        """
import socket
way = socket.socket(socket.AF_UNIX)
way.connect("\\0@LABEL@")
way.sendall(b"@NAME@")
""",
    ),
    reach_calls(
        "http",
        Aim.NETWORK,
        'import urllib.request\nurllib.request.urlopen("http://127.0.0.1:@PORT@/@NAME@", timeout=2).read()',
    ),
    reach_stdio(
        "asynchronous-connection",
        Aim.NETWORK,
        """
import asyncio
async def main():
    _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", @PORT@), 2)
    writer.write(b"@NAME@")
    await writer.drain()
asyncio.run(main())
""",
    ),
    reach(
        "name-look-up",
        Aim.NETWORK,
        """
import socket
# A question to a name server that the audit plays itself.
way = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
way.connect(("127.0.0.1", @PORT@))
way.send(b"@NAME@")
socket.getaddrinfo("localhost", 80)
""",
    ),
    reach_mbpp("listen", Aim.NETWORK, 'import socket\nsocket.create_server(("127.0.0.1", 0))'),
    reach_calls(
        "raw-socket",
        Aim.NETWORK,
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    ),
    reach_stdio("packet-socket", Aim.NETWORK, "import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW, 768)"),
    reach(
        "routes-of-the-machine",
        Aim.NETWORK,
        "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).bind((0, 0))",
    ),
    reach_mbpp(
        "virtual-machine-socket",
        Aim.NETWORK,
        "import socket\nway = socket.socket(socket.AF_VSOCK)\nway.settimeout(1)\nway.connect((1, @PORT@))",
    ),
    reach_calls(
        "kernel-cipher-socket",
        Aim.NETWORK,
        'import socket\nsocket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET).bind(("hash", "sha256"))',
    ),
)
