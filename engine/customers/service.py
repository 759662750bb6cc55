"""Service of customer follow-up: its plan, the key of its contacts, its survey links."""

from __future__ import annotations

from threading import Lock

from itsdangerous import BadSignature, URLSafeSerializer

from domain.customers.plan import FollowUpPlan
from domain.playbook import Playbook
from engine.customers.survey_counts import SurveyResultCounter
from engine.delivery.links import BadLink
from engine.installation import Installation
from playbooks.followup_file import FOLLOW_UP_PLAYBOOK, FollowUpFile
from storage.customers.contact_vault import ContactVault, open_vault

FILE = "followup.yaml"


class CustomerService:
    """Customer follow-up of one installation. Threads may share one."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.file = FollowUpFile(installation.settings.home / FILE)
        self._vaults: dict[str, ContactVault] = {}
        self._lock = Lock()
        self.counter = SurveyResultCounter(installation)
        self._signer = URLSafeSerializer(installation.settings.secret_key(), salt="tocsin-survey")

    @property
    def plan(self) -> FollowUpPlan:
        """How customers are followed up, as of now."""
        return self.file.current()

    def open_vault(self) -> ContactVault:
        """Return the vault that seals and opens contacts.

        Raises:
            SettingsError: its key cannot be used.
        """
        name = self.plan.key_env
        with self._lock:
            if name not in self._vaults:
                self._vaults[name] = open_vault(self.installation.settings.home, name)
            return self._vaults[name]

    def get_playbook(self) -> Playbook:
        """Return the follow-up's playbook: the home's own, else the shipped one."""
        return self.installation.library.get(FOLLOW_UP_PLAYBOOK)

    def make_survey_link(self, customer_id: str) -> str:
        """Return the address of a customer's survey. It is answered once; its end is kept with the customer."""
        return f"{self.installation.settings.links_url}/a/s/{self._signer.dumps(customer_id)}"

    def read_survey_link(self, token: str) -> str:
        """Return the id of the customer whose survey it is.

        Raises:
            BadLink: altered, cut or guessed.
        """
        try:
            return str(self._signer.loads(token))
        except (BadSignature, ValueError, TypeError):
            raise BadLink("this link is not whole: open it from the message itself, all of it") from None
