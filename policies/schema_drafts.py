"""What replies say and how, as it may be written: `templates:` and `guidelines:` of a policy file."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from policies.blocks import Block
from policies.fields import Intents, Language, Name, NetworkName, Phrases, Wordings, language_code, refuse, sentences
from policies.shares import Sending


def _guideline(value: object) -> object:
    return {} if value is True else None if value is False else value


class Guideline(Block):
    """One thing that replies should do. `hold: true`: a reply that does not never goes out by itself."""

    hold: StrictBool = False
    to: Intents | None = Field(default=None, description="Only in replies to these; left out: where it makes sense.")
    phrases: dict[Language, Phrases] = Field(
        default_factory=dict, description="Further wordings that count, by language; the built-in ones always do."
    )


class OwnGuideline(Block):
    """A guideline of our own: phrases of which a reply should hold one, and phrases that it should not hold."""

    name: Name
    required: dict[Language, Phrases] = Field(default_factory=dict)
    forbidden: dict[Language, Phrases] = Field(default_factory=dict)
    to: Intents | None = None
    hold: StrictBool = False

    @model_validator(mode="after")
    def _says_something(self) -> OwnGuideline:
        if not self.required and not self.forbidden:
            raise refuse("this guideline asks for nothing; give it `required:` or `forbidden:` phrases by language")
        return self


_Guideline = Annotated[Guideline | None, BeforeValidator(_guideline, json_schema_input_type=bool | Guideline)]


class Guidelines(Block):
    """How replies should sound: checked on each draft and shown to whoever approves it."""

    apologise_first: _Guideline = Field(default=None, description="Say sorry before anything else.")
    offer_direct_channel: _Guideline = Field(default=None, description="Offer to go on in private.")
    no_promises: _Guideline = Field(default=None, description="Promise and guarantee nothing.")
    greet_by_name: _Guideline = Field(default=None, description="Begin with the author's name, where there is one.")
    own: tuple[OwnGuideline, ...] = Field(default=(), max_length=50)


class Template(BaseModel):
    """The wordings of one reply by language, and by network where one needs its own."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[Language, Wordings]

    networks: dict[NetworkName, dict[Language, Wordings]] = Field(default_factory=dict)
    mode: Sending | None = Field(default=None, description="manual, or a share: `{auto: 10%}`, for this reply.")

    @model_validator(mode="after")
    def _has_languages(self) -> Template:
        for key in self.__pydantic_extra__:
            sentences(language_code)(key)
        if not self.__pydantic_extra__:
            raise refuse("this template has no wording; add one under a language, like `es:`")
        return self

    def wordings(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Where ("" for everywhere, or a network) → language → wordings."""
        everywhere = {code.lower(): texts for code, texts in self.__pydantic_extra__.items()}
        return {"": everywhere, **{name: dict(texts) for name, texts in self.networks.items()}}
