"""`python -m examples.chain --port 7790`: a service with a real limit, so that a drill has something true to find.

A customer opens a chat, the bot answers, an agent is asked for. So many agents answer so many chats a second and no
more; who waits stands in a queue, and leaves it when nobody asks after them for three seconds. A ticket is written to a
database, resolved, and a survey taken. `--bug` lets the ticket desk fail under load. A request switches faults on.

`--truth FILE` writes what is so (capacity; when each fault began, ended and was over), for tests to compare with.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

MARK = "X-Tocsin-Drill"
LEAVES = 3.0  # seconds without a question after which a customer has gone
DESK = 2  # tickets that the desk with the bug writes at once; one more is refused
NORMAL = 1.0  # seconds in the queue that are as good as none


@dataclass
class Chat:
    """One customer."""

    id: int
    asked_at: float = 0.0
    seen_at: float = 0.0
    answered: bool = False
    drill: str = ""


@dataclass
class Chain:
    """The whole service."""

    agents: int
    handle: float  # seconds an agent needs for a chat, on average
    bug: bool
    truth: Path | None
    dice: random.Random
    chats: dict[int, Chat] = field(default_factory=dict)
    queue: deque[Chat] = field(default_factory=deque)
    free: asyncio.Event = field(default_factory=asyncio.Event)
    stalled: bool = False
    slow: float = 0.0  # seconds added to every answer
    writing: int = 0
    marks: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """An empty database in memory."""
        self.database = sqlite3.connect(":memory:")
        self.database.execute("CREATE TABLE ticket (id INTEGER PRIMARY KEY, chat INTEGER, state TEXT)")
        self.say(capacity=self.agents / self.handle, faults=[])

    def say(self, **facts: Any) -> None:
        """Write down what is so."""
        self.facts.update(facts)
        if self.truth:
            fresh = self.truth.with_suffix(".new")  # whoever reads it meanwhile finds it whole
            fresh.write_text(json.dumps(self.facts))
            fresh.replace(self.truth)

    async def work(self) -> None:
        """One agent, for ever: the next customer who is still there, for as long as it takes (gamma, shape 8)."""
        while True:
            while not self.queue or self.stalled:
                self.free.clear()
                await self.free.wait()
            chat = self.queue.popleft()
            if not self.queue:
                self.note_calm()
            now = time.monotonic()
            if now - chat.seen_at > LEAVES or chat.id not in self.chats:
                continue
            await asyncio.sleep(self.dice.gammavariate(8, self.handle / 8))
            chat.answered = True
            if now - chat.asked_at <= NORMAL:
                self.note_calm()

    def note_calm(self) -> None:
        """The first customer since the fault who did not wait: it is over."""
        faults = self.facts["faults"]
        if faults and "ended" in faults[-1] and "calm" not in faults[-1]:
            faults[-1]["calm"] = time.time()
            self.say()

    def break_(self, kind: str, *, on: bool, by: float) -> None:
        """Begin or end a fault."""
        self.stalled = on if kind == "agents" else self.stalled
        self.slow = (by if on else 0.0) if kind == "slow" else self.slow
        faults = self.facts["faults"]
        if on:
            faults.append({"kind": kind, "began": time.time()})
        elif faults and "ended" not in faults[-1]:
            faults[-1]["ended"] = time.time()
        self.free.set()
        self.say()


def application(chain: Chain) -> web.Application:  # noqa: C901, PLR0915 - a route each, nothing more
    """Its routes."""
    routes = web.RouteTableDef()

    def chat_of(request: web.Request) -> Chat:
        chat = chain.chats.get(int(request.match_info["chat"]))
        if chat is None:
            raise web.HTTPNotFound(text="no such chat")
        chat.seen_at = time.monotonic()
        return chat

    @routes.get("/health")
    async def health(_: web.Request) -> web.Response:
        return web.json_response({"ok": True, "queue": len(chain.queue), "chats": len(chain.chats)})

    @routes.post("/chats")
    async def open_chat(request: web.Request) -> web.Response:
        chat = Chat(len(chain.chats) + 1 + chain.dice.randrange(10**9), drill=request.headers.get(MARK, ""))
        chain.chats[chat.id] = chat
        chain.marks += bool(chat.drill)
        return web.json_response({"id": chat.id}, status=201)

    @routes.get("/chats/{chat}/bot")
    async def bot(request: web.Request) -> web.Response:
        chat_of(request)
        return web.json_response({"say": "Shall I ask an agent?"})

    @routes.post("/chats/{chat}/agent")
    async def agent(request: web.Request) -> web.Response:
        chat = chat_of(request)
        chat.asked_at = time.monotonic()
        chain.queue.append(chat)
        chain.free.set()
        return web.json_response({"place": len(chain.queue)}, status=202)

    @routes.get("/chats/{chat}")
    async def state(request: web.Request) -> web.Response:
        return web.json_response({"state": "answered" if chat_of(request).answered else "waiting"})

    @routes.delete("/chats/{chat}")
    async def forget(request: web.Request) -> web.Response:
        chain.chats.pop(chat_of(request).id)
        chain.database.execute("DELETE FROM ticket WHERE chat = ?", (int(request.match_info["chat"]),))
        return web.Response(status=204)

    @routes.post("/chats/{chat}/ticket")
    async def ticket(request: web.Request) -> web.Response:
        chat = chat_of(request)
        if chain.bug and chain.writing >= DESK:
            return web.json_response({"error": "no connection left"}, status=500)
        chain.writing += 1
        try:
            await asyncio.sleep(0.2 if chain.bug else 0.005)
            made = chain.database.execute("INSERT INTO ticket (chat, state) VALUES (?, 'open')", (chat.id,))
        finally:
            chain.writing -= 1
        return web.json_response({"ticket": made.lastrowid}, status=201)

    @routes.post("/tickets/{ticket}/resolve")
    async def resolve(request: web.Request) -> web.Response:
        number = (int(request.match_info["ticket"]),)
        done = chain.database.execute("UPDATE ticket SET state = 'resolved' WHERE id = ?", number)
        return web.json_response({"state": "resolved"}, status=200 if done.rowcount else 404)

    @routes.post("/chats/{chat}/survey")
    async def survey(request: web.Request) -> web.Response:
        chat_of(request)
        return web.json_response({"thanks": True})

    @routes.post("/faults/{kind}")
    async def fault(request: web.Request) -> web.Response:
        told = await request.json()
        chain.break_(request.match_info["kind"], on=bool(told.get("broken")), by=float(told.get("by", 1.0)))
        return web.json_response({"broken": bool(told.get("broken"))})

    @web.middleware
    async def marked(request: web.Request, handler: Any) -> web.StreamResponse:
        if chain.slow and not request.path.startswith(("/faults", "/health")):
            await asyncio.sleep(chain.slow)
        try:
            answer: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            answer = web.Response(status=error.status, text=error.text)
        if mark := request.headers.get(MARK):
            answer.headers[MARK] = mark
        return answer

    app = web.Application(middlewares=[marked])
    app.add_routes(routes)

    async def staff(_: web.Application) -> None:
        app["agents"] = [asyncio.create_task(chain.work()) for _ in range(chain.agents)]

    app.on_startup.append(staff)
    return app


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=7790)
    parser.add_argument("--agents", type=int, default=10, help="how many agents answer")
    parser.add_argument("--handle", type=float, default=0.55, help="seconds an agent needs for a chat")
    parser.add_argument("--bug", action="store_true", help="the ticket desk fails under load")
    parser.add_argument("--truth", type=Path, help="write what is so to this file")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    dice = random.Random(given.seed)  # noqa: S311 - no secret depends on it
    chain = Chain(given.agents, given.handle, given.bug, given.truth, dice)
    web.run_app(application(chain), host="127.0.0.1", port=given.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
