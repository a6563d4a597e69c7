"""The process that an audited judge lives in."""

import json
import os
import sys
from multiprocessing.connection import Connection

from palaestra.envs.audit.judging import judged, load_judge
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task

__all__ = ["main"]


def main(spec: str, descriptor: int) -> None:
    """Judge what comes through the channel until it is closed."""
    # What programs under test inherit must not be able to speak to the audit.
    os.set_inheritable(descriptor, False)
    with Connection(descriptor) as channel:
        try:
            judge = load_judge(spec)
        except UsageError as error:
            channel.send_bytes(json.dumps(str(error)).encode())
            return
        channel.send_bytes(b"null")
        while True:
            try:
                task, reply = json.loads(channel.recv_bytes())
            except EOFError:
                return
            verdict = judged(judge, Task(**task), reply)
            answer = verdict if isinstance(verdict, str) else [verdict.reward, verdict.status, verdict.detail]
            channel.send_bytes(json.dumps(answer).encode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
