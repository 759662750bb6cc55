"""Text catalogues, one per language, read from the .po file itself: no compiled copy can be stale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Final

DEFAULT_LANGUAGE: Final = "en"
LANGUAGES: Final = ("en", "zh_CN")
_FOLDER: Final = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Translator:
    """The texts of one language, called with an English text: `_ = translator("zh_CN"); _("late")`."""

    language: str
    catalogue: NullTranslations

    def __call__(self, text: str) -> str:
        """The translation of `text`, or `text` itself where there is none."""
        # gettext keeps the header of the catalogue under the empty id.
        return self.catalogue.gettext(text) if text else ""

    gettext = __call__

    def ngettext(self, one: str, many: str, number: int) -> str:
        """The form for `number` things; the caller fills the placeholders."""
        return self.catalogue.ngettext(one, many, number)


def normalise(language: str | None) -> str:
    """Normalise a language code to one of `LANGUAGES` (`zh`, `zh-CN`, `zh_Hans`, `en-GB`); unknown is English."""
    base = (language or "").strip().replace("-", "_").split("_")[0].split(".")[0].lower()
    return "zh_CN" if base == "zh" else DEFAULT_LANGUAGE


def translator(language: str | None) -> Translator:
    """The texts of a language, however it is written (see `normalise`). Cheap to call again."""
    return _load(normalise(language))


def catalogue_file(language: str) -> Path:
    """Translation file of a language; `en` has none, its texts are the ids."""
    return _FOLDER / language / "LC_MESSAGES" / "tocsin.po"


@lru_cache
def _load(language: str) -> Translator:
    if language == DEFAULT_LANGUAGE:
        return Translator(language, NullTranslations())
    # Babel is needed for this alone: an English-only command does not wait for its import.
    from babel.messages.mofile import write_mo  # noqa: PLC0415
    from babel.messages.pofile import read_po  # noqa: PLC0415

    with catalogue_file(language).open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translator(language, GNUTranslations(compiled))
