"""`python -m channels FILE`: what a channel file is worth, as one line of JSON, without a word of its addresses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from channels.directory import ChannelDirectory
from channels.errors import ChannelConfigError


def look(path: Path) -> dict[str, object]:
    """Its tags, or null, what is wrong with it, and whether that may pass without an edit."""
    try:
        return {"tags": sorted(ChannelDirectory.load(path).tags()), "finding": "", "passing": False}
    except ChannelConfigError as error:
        return {"tags": None, "finding": str(error), "passing": error.passing}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look(Path(sys.argv[1]))))
