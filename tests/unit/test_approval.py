"""What an approval is bound to: the text as rendered, channel by channel, and nothing cut."""

from __future__ import annotations

import pytest

from domain.roster import PublicChannel
from domain.text_digest import (
    MAX_TEXT_LENGTH,
    UnpublishableText,
    compute_digest,
    publication_channels,
    render_for_channels,
)
from tests.procedures import playbook, statement
from tests.world import World

WEB = PublicChannel("web", "official-web", "en")
WEIBO = PublicChannel("weibo", "official-weibo", "zh_CN", limit=5)


def test_each_channel_gets_the_text_of_its_language() -> None:
    assert render_for_channels({"en": "Sorry.", "zh_CN": "抱歉"}, [WEB, WEIBO]) == {"web": "Sorry.", "weibo": "抱歉"}


def test_a_text_for_a_channel_itself_wins_over_its_language() -> None:
    assert render_for_channels({"en": "Sorry.", "zh_CN": "非常抱歉各位", "weibo": "抱歉"}, [WEIBO]) == {"weibo": "抱歉"}


def test_without_channels_a_text_is_rendered_by_language() -> None:
    assert render_for_channels({"en": " Sorry. ", "zh_CN": " "}, []) == {"en": "Sorry."}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({}, "the text is empty"),
        ({"en": "  \n"}, "the text is empty"),
        ({"en": "Sorry."}, "channel weibo speaks zh_CN: give a text for zh_CN"),
        ({"zh_CN": "非常非常抱歉"}, "channel weibo takes 5 characters and the text has 6"),
        ({"zh_CN": "x" * (MAX_TEXT_LENGTH + 1)}, f"at most {MAX_TEXT_LENGTH}"),
    ],
)
def test_what_does_not_fit_is_refused(texts: dict[str, str], said: str) -> None:
    with pytest.raises(UnpublishableText, match=said):
        render_for_channels(texts, [WEIBO])


def test_a_text_of_exactly_the_limit_fits() -> None:
    assert render_for_channels({"zh_CN": "一二三四五"}, [WEIBO]) == {"weibo": "一二三四五"}


def test_the_hash_knows_every_text_and_every_channel_and_not_their_order() -> None:
    one = compute_digest({"web": "a", "weibo": "b"})
    assert one == compute_digest({"weibo": "b", "web": "a"})
    assert (
        len(
            {
                one,
                compute_digest({"web": "b", "weibo": "a"}),
                compute_digest({"web": "a"}),
                compute_digest({"web": "a", "weibo": "b "}),
            }
        )
        == 4
    )


def test_the_channels_of_a_text_are_those_of_every_step_that_publishes_it() -> None:
    named = World(playbook(*statement(channels=("weibo", "gone"))))
    every = World(playbook(*statement()))
    for world, wanted in ((named, ["weibo"]), (every, ["website-en", "website-zh", "weibo"])):
        world.decide()
        found = publication_channels(world.snapshot, world.snapshot.steps["s/draft"])
        assert [channel.id for channel in found] == wanted
