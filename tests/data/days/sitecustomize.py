"""On another day, in every Python process: sleeping is a wait for nothing.

libfaketime 0.9.10 fails Python's `time.sleep` where it leaves the monotonic clock alone, as it must for other waits.
"""

import os
import select
import time
from typing import SupportsIndex

if "FAKETIME" in os.environ:

    def sleep(seconds: float | SupportsIndex, /) -> None:
        """Sleep for so many seconds."""
        span = seconds if isinstance(seconds, float) else seconds.__index__()
        if span < 0:
            raise ValueError("sleep length must be non-negative")
        select.select((), (), (), span)

    time.sleep = sleep
