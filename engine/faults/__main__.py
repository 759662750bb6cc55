"""`python -m engine.faults LISTEN UPSTREAM`: the fault proxy, told by lines of JSON on stdin.

`{"toxics": {"latency": 0.5}, "seconds": 30}` harms for so long at most; `{"toxics": {}, "seconds": 0}` ends
it. When its parent process is gone, the harm ends at once, and the proxy with it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from engine.faults.fault_settings import ActiveFaults, FaultSettings
from engine.faults.proxy import FaultProxy
from engine.load.target_allowlist import parse_host_and_port


async def _main(listen: str, upstream: str) -> None:
    ward = ActiveFaults()
    proxy = FaultProxy(parse_host_and_port(upstream), ward)
    port = await proxy.start(*parse_host_and_port(listen))
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        told = json.loads(line)
        ward.apply(FaultSettings.from_plan(told["toxics"], time.time() + told["seconds"]))
    await proxy.stop()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2]))
