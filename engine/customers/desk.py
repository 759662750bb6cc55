"""What the follow-up of one installation consists of: its plan, the key of its contacts, its links."""

from __future__ import annotations

from threading import Lock
from weakref import WeakKeyDictionary

from itsdangerous import BadSignature, URLSafeSerializer

from domain.customers.plan import Plan
from domain.playbook import Playbook
from engine.customers.counting import Counter
from engine.house import House
from engine.links import BadLink
from playbooks.followup import PROCEDURE, FollowUpFile
from storage.customers_vault import Vault, open_vault

FILE = "followup.yaml"


class CustomerDesk:
    """The follow-up of one house. Threads may share one."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.file = FollowUpFile(house.settings.home / FILE)
        self._vaults: dict[str, Vault] = {}
        self._lock = Lock()
        self.counter = Counter(house)
        self._signer = URLSafeSerializer(house.settings.secret_key(), salt="tocsin-survey")

    @property
    def plan(self) -> Plan:
        """How customers are followed up, as of now."""
        return self.file.current()

    def vault(self) -> Vault:
        """What seals and opens contacts.

        Raises:
            SettingsError: its key cannot be used.
        """
        name = self.plan.key_env
        with self._lock:
            if name not in self._vaults:
                self._vaults[name] = open_vault(self.house.settings.home, name)
            return self._vaults[name]

    def procedure(self) -> Playbook:
        """What people do: the home's own playbook, else the shipped one."""
        return self.house.library.get(PROCEDURE)

    def link(self, customer_id: str) -> str:
        """The address of a customer's survey; whoever has it may answer, once. Its end is kept with the customer."""
        return f"{self.house.settings.links_url}/a/s/{self._signer.dumps(customer_id)}"

    def read_link(self, token: str) -> str:
        """Whose survey it is.

        Raises:
            BadLink: altered, cut or guessed.
        """
        try:
            return str(self._signer.loads(token))
        except (BadSignature, ValueError, TypeError):
            raise BadLink("this link is not whole: open it from the message itself, all of it") from None


_DESKS: WeakKeyDictionary[House, CustomerDesk] = WeakKeyDictionary()
_GUARD = Lock()


def desk_of(house: House) -> CustomerDesk:
    """The one desk of a house."""
    with _GUARD:
        if house not in _DESKS:
            _DESKS[house] = CustomerDesk(house)
        return _DESKS[house]
