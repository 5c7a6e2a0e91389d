"""What a rule that decided something is called on the screen; its section in the specification stays in the data."""

from __future__ import annotations

from api.console.languages import Language, say, table

_STATES = {"lighting": ("lamp",), "cameras": ("camera", "zone")}
"""Groups of the words for a page's states."""
_FAULTS = ("fault", "impairment", "camera", "circuit")
_CAUSES = ("cause",)


def rule_name(language: Language, rule: str) -> str:
    """A rule such as `rounds.md, Verdicts of a visit, 3` in words; the reference itself where there are none."""
    page, *parts = rule.removesuffix(".").split(", ")
    page = page.removesuffix(".md")
    if whole := table(language).get(f"rule.{page}.{parts[-1]}" if parts else ""):
        return whole
    match parts:
        case [*_, "State" | "Zones", state]:
            return say(language, "rule.state", state=_word(language, _STATES.get(page, ()), state))
        case [*_, name, "begins"]:
            return say(language, "rule.begins", name=_word(language, _FAULTS, name))
        case [*_, name, "ends"]:
            return say(language, "rule.ends", name=_word(language, _FAULTS, name))
        case [*_, "Any device", cause]:
            return say(language, "rule.device", cause=_word(language, _CAUSES, cause))
        case _:
            return rule


def _word(language: Language, groups: tuple[str, ...], code: str) -> str:
    texts = table(language)
    return next((texts[key] for group in groups if (key := f"{group}.{code}") in texts), code.replace("_", " "))
