"""Registry of adapters by scheme.

To add a channel: one file in this folder, one line below, one service and one row in the tests on the wire.
"""

from apprise.manager_plugins import NotificationManager

from channels.adapters.bark import Bark
from channels.adapters.base import Adapter
from channels.adapters.dingtalk import DingTalk
from channels.adapters.email import Email
from channels.adapters.feishu import Feishu
from channels.adapters.form import FormPost
from channels.adapters.generic import Generic
from channels.adapters.json_post import JsonPost
from channels.adapters.ntfy import Ntfy
from channels.adapters.opsgenie import Opsgenie
from channels.adapters.pagerduty import PagerDuty
from channels.adapters.pushplus import PushPlus
from channels.adapters.serverchan import ServerChan
from channels.adapters.slack import Slack
from channels.adapters.teams import TeamsWorkflow
from channels.adapters.telegram import Telegram
from channels.adapters.twilio import Twilio
from channels.adapters.wecom_app import NotifyWeComApp, WeComApp
from channels.adapters.wecom_robot import WeComRobot
from channels.adapters.weibo import NotifyWeibo, Weibo

GENERIC = Generic()
ADAPTERS: dict[str, Adapter] = {
    **dict.fromkeys(("json", "jsons"), JsonPost()),
    **dict.fromkeys(("form", "forms"), FormPost()),
    **dict.fromkeys(("mailto", "mailtos"), Email()),
    **dict.fromkeys(("ntfy", "ntfys"), Ntfy()),
    **dict.fromkeys(("bark", "barks"), Bark()),
    **dict.fromkeys(("feishu", "lark"), Feishu()),
    # Apprise's `wecom://` is PushPlus with WeCom as its way out.
    **dict.fromkeys(("pushplus", "wecom"), PushPlus()),
    **dict.fromkeys(("workflow", "workflows"), TeamsWorkflow()),
    "dingtalk": DingTalk(),
    "opsgenie": Opsgenie(),
    "pagerduty": PagerDuty(),
    "schan": ServerChan(),
    "slack": Slack(),
    "tgram": Telegram(),
    "twilio": Twilio(),
    "wecomapp": WeComApp(),
    "wecombot": WeComRobot(),
    "weibo": Weibo(),
}
OWN_PLUGINS = (NotifyWeComApp, NotifyWeibo)


def adapter_for(schema: str) -> Adapter:
    """The adapter of a scheme, or the one for all that have none of their own."""
    return ADAPTERS.get(schema.lower(), GENERIC)


def register_own_plugins() -> None:
    """Register our own schemes with Apprise; idempotent."""
    manager = NotificationManager()  # type: ignore[no-untyped-call]
    for plugin in OWN_PLUGINS:
        if plugin.secure_protocol not in manager:
            manager.add(plugin)  # type: ignore[no-untyped-call]
