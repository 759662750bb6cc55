"""A tabletop scenario as data: injections in time, who must react by when, and the observer's questions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from domain.text import Text

CLOSING_TIME = timedelta(minutes=5)  # that a rehearsal goes on after the last thing that is expected


class ScenarioCategory(StrEnum):
    """The five categories of scenarios."""

    TECHNOLOGY = "technology"
    OPINION = "opinion"
    PEOPLE = "people"
    CUSTOMERS = "customers"
    PARTNERS = "partners"  # suppliers, authorities, the law


class InjectionEffect(StrEnum):
    """What an injection does."""

    MESSAGE = "message"  # a role hears of it, by the same call as of any step, and must answer
    UNREACHABLE = "unreachable"  # whoever holds a role answers nothing from then on
    REJECT = "reject"  # the approver sends the text back
    INCIDENT = "incident"  # a second one beside the first


class ScoringScale(StrEnum):
    """A scale of the score."""

    ADAPTABILITY = "adaptability"
    MANNER = "manner"
    SKILL = "skill"


WEIGHTS = {ScoringScale.ADAPTABILITY: 40, ScoringScale.MANNER: 30, ScoringScale.SKILL: 30}


@dataclass(frozen=True, slots=True)
class Injection:
    """One event of a scenario.

    Attributes:
        at: since the declaration, on the rehearsed clock.
        to: of a message and an absence: the role.
        step: of a rejection: the approval, as `stage/step`.
        playbook: of a second incident.
        within: after it, somebody has acknowledged (of an absence: somebody else; of an incident: its first
            step).
        due: after it, it is answered (of a rejection: a new text is approved). None: nothing is to be answered.
    """

    id: str
    at: timedelta
    effect: InjectionEffect
    text: Text
    to: str = ""
    step: str = ""
    playbook: str = ""
    within: timedelta | None = None
    due: timedelta | None = None

    @property
    def over(self) -> timedelta:
        """When the expected reactions must have happened, since the declaration."""
        return self.at + max((one for one in (self.within, self.due) if one is not None), default=timedelta(0))


@dataclass(frozen=True, slots=True)
class ObserverQuestion:
    """A question to the observer, answered 0 (not at all) to 4 (fully)."""

    id: str
    scale: ScoringScale
    text: Text


MAX_ANSWER = 4  # of an observer's answer

# Asked after every scenario, beside its own.
STANDARD_QUESTIONS = (
    ObserverQuestion("plan-changed", ScoringScale.ADAPTABILITY, Text(
        "When the situation changed, did they change the plan instead of carrying on as written?",
        "情况变化时，是否及时调整方案，而不是照本宣科？")),
    ObserverQuestion("first-things", ScoringScale.ADAPTABILITY, Text(
        "Was harm to users dealt with before the brand, and the brand before cost?",
        "是否先处理用户伤害，再顾品牌，最后顾成本？")),
    ObserverQuestion("one-voice", ScoringScale.MANNER, Text(
        "Did everybody say the same, and nothing that was not approved?",
        "口径是否一致，未经批准的内容是否没有外发？")),
    ObserverQuestion("tone", ScoringScale.MANNER, Text(
        "Were customers and press spoken to calmly, plainly, and with a word of regret?",
        "对客户和媒体是否冷静、清楚，并表达歉意？")),
    ObserverQuestion("hand-over", ScoringScale.SKILL, Text(
        "Were tasks handed over with what was done, what is next, and by when?",
        "交接时是否说明已做、下一步和时限？")),
    ObserverQuestion("means", ScoringScale.SKILL, Text(
        "Did they know the means: playbook, templates, channels, who decides?",
        "是否熟悉预案、模板、渠道和决策人？")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scenario:
    """A tabletop scenario. `story` is what everybody is told at the beginning."""

    id: str
    category: ScenarioCategory
    title: Text
    story: Text
    playbook: str
    injections: tuple[Injection, ...]
    questions: tuple[ObserverQuestion, ...] = ()

    @property
    def asked(self) -> tuple[ObserverQuestion, ...]:
        """Every question: the standard ones and its own."""
        return (*STANDARD_QUESTIONS, *self.questions)

    @property
    def lasts(self) -> timedelta:
        """The scenario's length on the rehearsed clock."""
        return max(one.over for one in self.injections) + CLOSING_TIME
