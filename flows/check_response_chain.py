"""Check the response chain: every owner, channel, file, schedule; what is broken becomes somebody's action."""

from __future__ import annotations

from prefect import flow

from tasks.checking import check_chain, hand_over_broken


@flow(name="check-response-chain")
async def check_response_chain() -> int:
    """Check everything; how much of it is broken."""
    found = await check_chain()
    await hand_over_broken(found)
    return sum(not one.ok for one in found)
