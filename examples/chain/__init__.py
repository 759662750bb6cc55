"""A small service chain to drill: chat, bot, queue, agents, tickets, survey."""
