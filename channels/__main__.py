"""`python -m channels FILE`: check a channel file and print one line of JSON, without any address."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from channels.directory import ChannelDirectory
from channels.errors import ChannelConfigError


def inspect_channel_file(path: Path) -> dict[str, object]:
    """Tags of a channel file (null if unusable), its error, and whether that may pass without an edit."""
    try:
        return {"tags": sorted(ChannelDirectory.load(path).tags()), "finding": "", "passing": False}
    except ChannelConfigError as error:
        return {"tags": None, "finding": str(error), "passing": error.passing}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(inspect_channel_file(Path(sys.argv[1]))))
