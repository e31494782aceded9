"""The tables of docs/server.md, from the code: settings, endpoints with their roles, codes."""

from __future__ import annotations

from collections import defaultdict

from engine.server.http.problems import STATUSES
from engine.server.http.roles import OPEN, RULES, Role, Scope
from engine.server.settings import Settings
from tests.support.greybox.marked import marked
from tests.support.tree import ROOT

PATH = ROOT / "docs" / "server.md"


TOPICS = {
    "data": "catalog ledger standing",
    "address": "host port flight_port",
    "TLS": "tls_cert tls_key behind_tls_proxy proxy_addresses",
    "keys": "secret_file key_days",
    "tokens": "oidc_issuer oidc_audience oidc_keys oidc_algorithms oidc_name_claim oidc_role_claim",
    "limits": "max_body_bytes max_sql_chars rate queue queue_per_client slots unit_rows",
    "pacing": "rows_per_second least_seconds",
    "jobs": "deadline_seconds jobs_per_client job_days stop_seconds",
    "alerts": "alert_webhook alert_mail_to alert_mail_from alert_smtp alert_smtp_security alert_smtp_user"
    " alert_smtp_password_file alert_seconds",
    "checks": "hung_seconds least_free_mb verify_hours",
}  # each setting once, in the order of the page


def settings_table() -> str:
    """List every setting with its default, by topic."""
    listed = [name for names in TOPICS.values() for name in names.split()]
    assert sorted(listed) == sorted(Settings.model_fields), "each setting belongs to one topic of TOPICS"
    rows = ["| topic | setting (default): meaning |", "|---|---|"]
    rows += [f"| {topic} | {'<br>'.join(map(_setting, names.split()))} |" for topic, names in TOPICS.items()]
    return "\n".join(rows)


def _setting(name: str) -> str:
    field = Settings.model_fields[name]
    default = str(field.default).lower() if field.default is False else field.default
    return f"`{name}`{'' if default is None else f' (`{default}`)'}: {field.description}"


def endpoints_table() -> str:
    """List the endpoints by how far each role reaches."""
    alike: dict[tuple[Scope, ...], list[str]] = defaultdict(list)
    for (method, path), rule in RULES.items():
        alike[tuple(rule.scope_of(role) for role in Role)].append(f"`{method} {path}`")
    rows = [f"| {' | '.join(Role)} | endpoints |", "|---|" + "---|" * len(Role)]
    for reaches, endpoints in alike.items():
        cells = ["" if reach is Scope.NONE else str(reach) for reach in reaches]
        rows.append(f"| {' | '.join(cells)} | {'<br>'.join(endpoints)} |")
    opened = ", ".join(f"`{path}`" for _, path in sorted(OPEN))
    return "\n".join([*rows, "", f"Without a key: {opened}."])


def codes_table() -> str:
    """List the codes of each status: of questions, of other requests, of the server itself."""
    found = defaultdict(list)
    for code, status in STATUSES.items():
        found[status].append(f"`{code}`")
    about = {
        "questions": (400, 402, 422),
        "server": (429, 500, 503),
        "requests": sorted(found.keys() - {400, 402, 422, 429, 500, 503}),
    }
    lines = {status: f"{status}: {' '.join(found[status])}" for status in found}
    rows = [f"| {what} | {'<br>'.join(lines[status] for status in statuses)} |" for what, statuses in about.items()]
    return "\n".join(["| about | status: codes |", "|---|---|", *rows])


TABLES = {"settings": settings_table, "endpoints": endpoints_table, "codes": codes_table}


def document() -> str:
    """Write the tables into a page, each behind its mark."""
    return marked(PATH.read_text(encoding="utf-8"), TABLES)
