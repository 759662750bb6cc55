"""Verdicts from the wire: what happened to a request decides whether it may be sent again.

| on the wire | notice | publication |
| --- | --- | --- |
| nothing written: refused, no such host, connect time-out, TLS handshake | failed | failed |
| written, then time-out or cut | unknown | unknown |
| 2xx | the adapter decides | the adapter decides |
| 3xx, or a redirect that dropped the message | refused | refused |
| 408, 425, 429 | failed | failed |
| 504 | unknown | unknown |
| 503 with Retry-After | failed | failed |
| other 5xx | failed | unknown |
| other 4xx | refused | refused |

Why a publication differs: behind a 500 or 502 may stand a platform that posted the text and then fell over.
A page sent twice wakes someone twice; an apology published twice is news. 503 with Retry-After is a server
that says it did not begin. 504 is a read time-out that a gateway had in our place, so it counts as one for
everybody.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import urllib3.exceptions as transport_errors

from channels.outcome import SendOutcome, SendVerdict, one_line
from channels.transport import HttpAttempt, SendExchange

Accept = Callable[[requests.Response], SendOutcome]
Refine = Callable[[requests.Response, SendOutcome], SendOutcome]

_LATER = {408, 425, 429}
_GATEWAY_TIMEOUT = 504
_UNAVAILABLE = 503
_LONGEST_WAIT = 86_400.0
_REASON_CHARACTERS = 120
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (requests.exceptions.ConnectTimeout, "connecting timed out"),
    (requests.exceptions.ReadTimeout, "no answer in time"),
    (transport_errors.NameResolutionError, "the host's name is not known"),
    (ConnectionRefusedError, "connection refused"),
    (TimeoutError, "no answer in time"),
)


def judge_exchange(
    exchange: SendExchange, accept: Accept, *, public: bool, refine: Refine | None = None
) -> SendOutcome:
    """Outcome of one send's requests; `refine` may know more about an answer that is no 2xx.

    Several requests (a service with several targets) that do not agree, one of them taken, are `unknown`: to
    repeat would tell some of them twice.
    """
    return combine_outcomes(
        [judge_attempt(attempt, accept, public=public, refine=refine) for attempt in exchange.attempts]
    )


def combine_outcomes(outcomes: list[SendOutcome]) -> SendOutcome:
    """Combine the outcomes of several requests of one send."""
    if not outcomes:
        return SendOutcome(SendVerdict.REFUSED, detail="the service sent nothing: check its targets")
    verdicts = {outcome.verdict for outcome in outcomes}
    if len(verdicts) == 1:
        receipts = [outcome.receipt for outcome in outcomes if outcome.receipt]
        return SendOutcome(
            outcomes[0].verdict,
            ",".join(receipts) or None,
            outcomes[0].detail,
            max((o.retry_after for o in outcomes if o.retry_after is not None), default=None),
        )
    taken = sum(outcome.verdict in {SendVerdict.SENT, SendVerdict.UNVERIFIED} for outcome in outcomes)
    if taken or SendVerdict.UNKNOWN in verdicts:
        worst = next(o for o in outcomes if o.verdict not in {SendVerdict.SENT, SendVerdict.UNVERIFIED})
        return SendOutcome(SendVerdict.UNKNOWN, detail=f"{taken} of {len(outcomes)} targets took it: {worst.detail}")
    return next(outcome for outcome in outcomes if outcome.verdict is SendVerdict.FAILED)


def judge_attempt(attempt: HttpAttempt, accept: Accept, *, public: bool, refine: Refine | None = None) -> SendOutcome:
    """Outcome of one request."""
    if attempt.response is None:
        verdict = SendVerdict.UNKNOWN if attempt.written else SendVerdict.FAILED
        return SendOutcome(verdict, detail=describe_error(attempt.error, written=attempt.written))
    if attempt.degraded:
        return SendOutcome(SendVerdict.REFUSED, detail="a redirect dropped the message: give the final address")
    if attempt.response.status_code // 100 == 2:  # noqa: PLR2004 - the class of success
        return accept(attempt.response)
    outcome = _judge_status(attempt.response, public=public)
    return refine(attempt.response, outcome) if refine else outcome


def _judge_status(response: requests.Response, *, public: bool) -> SendOutcome:
    status = response.status_code
    wait = retry_after(response)
    detail = f"answered {status}{_reason(response)}"
    if status // 100 == 3:  # noqa: PLR2004 - the class of redirects
        return SendOutcome(
            SendVerdict.REFUSED, detail=f"answered {status}: redirects are not followed, give the final address"
        )
    if status in _LATER or (status == _UNAVAILABLE and wait is not None):
        return SendOutcome(SendVerdict.FAILED, detail=detail, retry_after=wait)
    if status == _GATEWAY_TIMEOUT or (status // 100 == 5 and public):  # noqa: PLR2004 - server errors
        return SendOutcome(
            SendVerdict.UNKNOWN, detail=f"{detail}; it may have been taken all the same", retry_after=wait
        )
    if status // 100 == 5:  # noqa: PLR2004 - server errors
        return SendOutcome(SendVerdict.FAILED, detail=detail, retry_after=wait)
    return SendOutcome(SendVerdict.REFUSED, detail=detail)


def json_object(response: requests.Response) -> dict[str, Any]:
    """The JSON object in the answer's body; empty if it holds anything else."""
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def receipt_of(response: requests.Response, *fields: str) -> str | None:
    """The first of `fields` that the answer's JSON object has as text or number."""
    answer = json_object(response)
    for name in fields:
        value = answer.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value)
    return None


def retry_after(response: requests.Response) -> float | None:
    """Seconds to wait as the answer asks (RFC 9110, section 10.2.3: seconds or a date), at most a day."""
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(value)
        # The service's own clock, if it tells it: ours may differ.
        now = parsedate_to_datetime(response.headers["Date"]) if "Date" in response.headers else datetime.now(UTC)
        return min(max((until - now).total_seconds(), 0.0), _LONGEST_WAIT)
    except (ValueError, TypeError, OverflowError):
        return None


def describe_error(error: BaseException | None, *, written: bool) -> str:
    """Description of an error in our own words: the texts of `requests` hold the URL, and so the token."""
    when = "after the message was written" if written else "before anything was sent"
    roots = _roots(error)
    word = next((word for kind, word in _WORDS if any(isinstance(root, kind) for root in roots)), None)
    if isinstance(error, requests.exceptions.SSLError):
        word = f"TLS failed ({_tls_word(error)})"
    if word is None and isinstance(error, requests.exceptions.ConnectionError):
        word = "connection cut" if written else "no connection"
    return f"{word or type(error).__name__}, {when}"


def _tls_word(error: BaseException) -> str:
    return "certificate not accepted" if "CERTIFICATE_VERIFY_FAILED" in str(error) else "handshake"


def _roots(error: BaseException | None) -> list[BaseException]:
    """The error and what it was made from, however urllib3 has wrapped it."""
    found: list[BaseException] = []
    queue = [error]
    while queue and len(found) < 20:  # noqa: PLR2004 - a bound against cycles
        current = queue.pop()
        if isinstance(current, BaseException) and current not in found:
            found.append(current)
            queue += [current.__cause__, current.__context__, getattr(current, "reason", None)]
            queue += [arg for arg in current.args if isinstance(arg, BaseException)]
    return found


def _reason(response: requests.Response) -> str:
    """What the service says is wrong; the caller takes secrets out of it."""
    answer = json_object(response)
    for name in ("error", "message", "detail", "description", "msg", "errmsg"):
        if isinstance(answer.get(name), str):
            return f" ({one_line(answer[name], _REASON_CHARACTERS)})"
    return ""
