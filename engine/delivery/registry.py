"""Registry of delivery kinds: which kinds of message this program delivers."""

from __future__ import annotations

from typing import Any, Final

from engine.customers.survey_delivery import SurveyAlarmDelivery, SurveyDelivery
from engine.delivery.kinds import DeliveryKind
from engine.delivery.notices import NoticeDelivery
from engine.delivery.publications import PublicationDelivery
from engine.oncall.handover import HandoverDelivery
from engine.statuspage.mail import StatusMailDelivery

DELIVERY_KINDS: Final[tuple[type[DeliveryKind[Any]], ...]] = (
    NoticeDelivery,
    PublicationDelivery,
    HandoverDelivery,
    StatusMailDelivery,
    SurveyDelivery,
    SurveyAlarmDelivery,
)
