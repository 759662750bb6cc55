"""Check the response chain: every owner, channel, file, schedule; what is broken becomes an action."""

from __future__ import annotations

from prefect import flow

from tasks.chain_check import check_chain, create_repair_actions


@flow(name="check-response-chain")
async def check_response_chain() -> int:
    """Check the whole response chain; the number of broken things."""
    found = await check_chain()
    await create_repair_actions(found)
    return sum(not one.ok for one in found)
