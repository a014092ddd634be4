"""Email, Slack and Teams, by apprise: which of its addresses are allowed, and what of them may be seen."""

import importlib
import re
from functools import cache
from types import ModuleType
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from notifications import hosts
from notifications.delivery import UndeliveredError
from notifications.letters import Letter
from notifications.models import Channel

PLUGINS = {
    Channel.Form.EMAIL: ("mailto", "mailtos"),
    Channel.Form.SLACK: ("slack",),
    Channel.Form.TEAMS: ("workflow", "workflows", "msteams"),
}
NATIVE = {
    Channel.Form.SLACK: ("hooks.slack.com",),
    Channel.Form.TEAMS: (".logic.azure.com", ".api.powerplatform.com", ".webhook.office.com"),
}
EXAMPLES = {
    Channel.Form.EMAIL: "mailtos://NAME:PASSWORD@mail.example.org:587?from=restage@example.org",
    Channel.Form.SLACK: "https://hooks.slack.com/services/T…/B…/…",
    Channel.Form.TEAMS: "https://….logic.azure.com/workflows/…",
}
# What may stand behind the ? of an address: apprise knows more, that would lead it to other servers, files and readers.
KNOWN = {
    Channel.Form.EMAIL: {"from", "name", "mode", "user", "pass"},
    Channel.Form.SLACK: set[str](),
    Channel.Form.TEAMS: {"api-version", "sp", "sv", "sig", "id", "pa"},
}
PORTS = {"mailto": 25, "mailtos": 587}
TYPES = {"ok": "success", "attention": "warning", "bad": "failure"}
NOBODY = "nobody@example.invalid"


def problem(form: str, address: str) -> str:
    """Why an address cannot be that of such a channel ("": it can). It is not told back: it holds a secret."""
    if any(ord(letter) <= 32 or ord(letter) > 126 for letter in address) or not _has_port(address):
        return "It has a letter or a port that no address has."
    if form == Channel.Form.EMAIL and address.startswith("mailto") and not _from(address):
        return "It must say whom mail is from: …?from=restage@example.org"
    if ";" in address or not _only_known(Channel.Form(form), urlsplit(address)):
        return "It has a part that is not allowed here: other readers, servers or files are none of a channel's."
    plugin = _plugin(form, address)
    if plugin is None:
        return f"It cannot be read. It must look like {EXAMPLES[Channel.Form(form)]}"
    host = str(getattr(plugin, "host", "") or "")
    if form == Channel.Form.TEAMS and not host.lower().endswith(NATIVE[Channel.Form.TEAMS]) and not hosts.allowed(host):
        return "It does not lead to Microsoft's servers."
    return ""


def shown(form: str, address: str) -> str:
    """What people see of an address: where it leads, nothing that opens a door."""
    if form == Channel.Form.EMAIL:
        parts = urlsplit(address)
        return f"{parts.hostname}:{parts.port or PORTS.get(parts.scheme, 25)}, from {_from(address)}"
    if form == Channel.Form.SLACK:
        return "hooks.slack.com"
    return str(getattr(_plugin(form, address), "host", "")) or "Microsoft Teams"


def send(form: str, address: str, letter: Letter, *, to: str = "") -> str:
    """Deliver; what is known of it. `to`: the mail address of a person. Raises UndeliveredError."""
    plugin = None if problem(form, address) else _plugin(form, address, to=to, headers={"X-Restage-Message": letter.id})
    if plugin is None:
        raise UndeliveredError("The channel's address cannot be used any more. Enter it again.", permanent=True)
    host = str(getattr(plugin, "host", "") or "")
    if form == Channel.Form.EMAIL:
        parts = urlsplit(address)
        hosts.check(host, parts.port or PORTS.get(parts.scheme, 25))
    elif form == Channel.Form.TEAMS:
        hosts.check(host, 443)
    found = _apprise().Apprise(asset=_asset())
    found.add(plugin)
    taken = found.notify(
        title=letter.subject,
        body=letter.text,
        body_format="text",
        notify_type=TYPES.get(letter.state, "info"),
    )
    if not taken:
        raise UndeliveredError("The service could not be reached, or did not take it.")
    return "The service took it."


def _plugin(form: str, address: str, *, to: str = "", headers: dict[str, str] | None = None) -> Any | None:
    """What apprise makes of an address; None where it makes nothing, or another service, of it."""
    scheme = urlsplit(address).scheme
    if scheme in ("https", "http"):
        host = (urlsplit(address).hostname or "").lower()
        if scheme == "http" or not host.endswith(NATIVE.get(Channel.Form(form), ())):
            return None
    elif scheme not in PLUGINS[Channel.Form(form)]:
        return None
    complete = _complete(form, address, to, headers or {})
    made = _apprise().Apprise.instantiate(complete, asset=_asset(), suppress_exceptions=True)
    return made if isinstance(made, _apprise().NotifyBase) else None


def _complete(form: str, address: str, to: str, headers: dict[str, str]) -> str:
    """An address with what belongs to one letter, and with short times and no redirects."""
    more = {"redirect": "no", "cto": "5", "rto": "10", "retry": "0", "image": "no"}
    if form == Channel.Form.EMAIL:
        more |= {"to": to or NOBODY, **{f"+{name}": value for name, value in headers.items()}}
    joined = "&".join(f"{quote(name, safe='+')}={quote(value)}" for name, value in more.items())
    return f"{address}{'&' if '?' in address else '?'}{joined}"


def _only_known(form: Channel.Form, parts: SplitResult) -> bool:
    """Whether nothing stands in it that leads elsewhere; # may name a channel of Slack."""
    given = {name.lower() for name, _value in parse_qsl(parts.query, keep_blank_values=True)}
    named = "" if form != Channel.Form.SLACK else r"[\w-]+"
    return given <= KNOWN[form] and (not parts.fragment or bool(re.fullmatch(named, parts.fragment)))


def _has_port(address: str) -> bool:
    """Whether its port, if there is one, can be one."""
    try:
        return urlsplit(address).port != 0
    except ValueError:
        return False


def _from(address: str) -> str:
    found = re.search(r"[?&]from=([^&\s]+)", address)
    return found.group(1).replace("%40", "@") if found else ""


def _asset() -> Any:
    return _apprise().AppriseAsset(storage_mode="memory", secure_logging=True, app_id="Restage")


@cache
def _apprise() -> ModuleType:
    """Only once it is needed: it would add 0.2 s to the start of every command."""
    return importlib.import_module("apprise")
