"""Demonstration in eight scenes on a synthetic operator: six questions, one refusal, one free repeat."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from passersby.cli.output import console
from passersby.client.connect import OPERATOR, open_in_process
from passersby.client.connection import Connection
from passersby.client.progress import show_copying
from passersby.errors import RefusedError
from passersby.result.summary import OutputHints, width_text
from passersby.result.terminal import show_error, show_result, sql_block
from passersby.result.terminal_lists import show_budget
from passersby.text.numbers import half_width_text, percent, privacy_loss_text

CLIENT = "demo"
WITHOUT_DETAILS = OutputHints("--rho {}", "")


@dataclass(frozen=True)
class Scene:
    """One scene: title, SQL, and a remark on its result."""

    title: str
    sql: str
    remark: str


FOOTFALL = Scene(
    "Who comes to the mall P1, hour by hour?",
    """SELECT hour(start_ts) AS hour, count(DISTINCT subscriber_id) AS visitors
FROM visit
WHERE place_id = 'P1' AND visit_date BETWEEN DATE '2026-10-05' AND DATE '2026-10-30'
GROUP BY hour ORDER BY hour""",
    "Every number is noisy, and says how noisy. The shaded end of a bar is its interval.",
)
ANSWERED_SCENES = (
    FOOTFALL,
    Scene(
        "How old are they, women and men?",
        """SELECT s.gender, s.age_band, count(DISTINCT v.subscriber_id) AS visitors
FROM visit v JOIN subscriber s USING (subscriber_id)
WHERE v.place_id = 'P1' AND s.gender IN ('f', 'm') AND s.age_band IS NOT NULL
GROUP BY s.gender, s.age_band ORDER BY s.gender, s.age_band""",
        "A join on the person is a join of a person's own rows. Here each person counts in one group: little noise.",
    ),
    Scene(
        "How long do people stay, and where?",
        """SELECT p.category, count(*) AS visits, avg(v.dwell_min) AS minutes
FROM visit v JOIN place p USING (place_id)
GROUP BY p.category ORDER BY visits DESC""",
        "Nobody declared how many visits a person makes: a part of the price measures it. Each person counts up to a"
        " limit, and what that cuts off is added back. Intervals may miss a few very active people.",
    ),
    Scene(
        "From which zones do the mall's visitors come?",
        """SELECT home.name AS home, count(DISTINCT v.subscriber_id) AS visitors
FROM visit v
JOIN subscriber s USING (subscriber_id)
JOIN zone home ON home.zone_id = s.home_zone
WHERE v.place_id = 'P1'
GROUP BY home.name ORDER BY visitors DESC LIMIT 8""",
        "All zones of the public table are answered, empty ones too: that a zone appears says nothing about anyone."
        " ORDER BY and LIMIT see released numbers only.",
    ),
    Scene(
        "How often do they come back?",
        """WITH habit AS (
  SELECT subscriber_id, count(DISTINCT visit_date) AS days
  FROM visit WHERE place_id = 'P1' GROUP BY subscriber_id)
SELECT CASE WHEN days = 1 THEN '1 day' WHEN days <= 3 THEN '2-3 days'
            WHEN days <= 9 THEN '4-9 days' ELSE 'more' END AS came, count(*) AS people
FROM habit GROUP BY came ORDER BY came""",
        "Inside, one row is one person, and nothing leaves; the noise comes where people are counted together.",
    ),
    Scene(
        "How far do trips go?",
        """SELECT CASE WHEN dist_km < 2 THEN '0 to 2 km' WHEN dist_km < 5 THEN '2 to 5 km'
            WHEN dist_km < 10 THEN '5 to 10 km' ELSE 'more' END AS distance, count(*) AS trips
FROM trip GROUP BY distance ORDER BY distance""",
        "Few groups with many rows have small errors. Pairs of zones would be thousands, each with as much noise.",
    ),
)
REFUSED = Scene(
    "Who exactly was there?",
    """SELECT subscriber_id, start_ts, dwell_min
FROM visit
WHERE place_id = 'P1'""",
    "Refused before the ledger and the data: it cost nothing. Whether a question is refused never depends on data.",
)
AGAIN = Scene(
    "The first question again, in other words",
    """SELECT hour(v.start_ts) AS hour, count(DISTINCT v.subscriber_id) AS visitors
FROM visit v
WHERE v.visit_date >= DATE '2026-10-05' AND v.visit_date <= DATE '2026-10-30'
  AND v.place_id = 'P1'
GROUP BY hour ORDER BY hour""",
    "The same plan gets the stored answer: no second charge, and no second draw of noise that could be averaged away.",
)
NEXT = {
    "{passersby} tables": "what may be asked about",
    '{passersby} explain "SELECT ..."': "the price before paying",
    '{passersby} query "SELECT ..."': "ask, on an account of your own",
    "{passersby} catalog new FOLDER": "begin with your own files",
    "{passersby} --help": "all commands",
    "notebooks/1_first_count.ipynb": "the same in Python",
}


def demo() -> None:
    """Build the synthetic operator if it is missing, and play all scenes with a temporary ledger."""
    screen = console()
    opening = "Ask where people go, in SQL. Learn about crowds, and little about anyone."
    about = "A synthetic mobile operator: 20,000 made-up people, 32 days, 2 million sightings."
    screen.print(Panel(Group(Text(opening, "bold"), Text(about, "dim")), title="passersby", title_align="left"))
    with tempfile.TemporaryDirectory(prefix="passersby-demo-") as folder:
        with show_copying() as progress:
            ledger = str(Path(folder) / "demo.ledger")
            connection = open_in_process(OPERATOR, client=CLIENT, ledger=ledger, progress=progress)
        with connection:
            _play(connection, screen)


def _play(connection: Connection, screen: Console) -> None:
    """Play every scene, then show the remaining budget and next commands."""
    for number, scene in enumerate(ANSWERED_SCENES, start=1):
        _ask(connection, screen, number, scene)
    _refuse(connection, screen, len(ANSWERED_SCENES) + 1)
    _repeat(connection, screen, len(ANSWERED_SCENES) + 2)
    screen.print(Rule(Text("What is left", "bold"), align="left", style="dim"))
    screen.print(show_budget(connection.budget(), more=""))
    screen.print(Rule(Text("What you can do next", "bold"), align="left", style="dim"))
    for command, what in NEXT.items():
        screen.print(Text.assemble(("  " + command.format(passersby=_command()).ljust(46), "cyan"), what))


def _head(screen: Console, number: int, scene: Scene) -> None:
    """Print a scene's number, title and SQL."""
    screen.print()
    screen.print(Rule(Text(f"{number}  {scene.title}", "bold"), align="left", style="dim"))
    screen.print(sql_block(scene.sql))


def _ask(connection: Connection, screen: Console, number: int, scene: Scene) -> None:
    """Show a question, its price before paying, and its answer."""
    _head(screen, number, scene)
    explanation = connection.explain(scene.sql)
    errors = ", ".join(
        f"{name} {width_text(explanation, name, half_width_text(None))}" for name in explanation.expected_error
    )
    level = percent(explanation.confidence or 0)
    _remark(
        screen, f"before paying: {privacy_loss_text(explanation.price)}; expected error at {level}: {errors}", "yellow"
    )
    screen.print(Padding(show_result(connection.query(scene.sql), surface=WITHOUT_DETAILS), (1, 0, 0, 2)))
    _remark(screen, scene.remark, "italic")


def _refuse(connection: Connection, screen: Console, number: int) -> None:
    """Show a refused query with its caret and suggestion."""
    _head(screen, number, REFUSED)
    try:
        connection.query(REFUSED.sql)
    except RefusedError as refused:
        screen.print(Padding(show_error(refused), (1, 0, 1, 2)))
    _remark(screen, REFUSED.remark, "italic")


def _repeat(connection: Connection, screen: Console, number: int) -> None:
    """Show that an equivalent query is free and returns the same numbers."""
    _head(screen, number, AGAIN)
    first, again = connection.query(FOOTFALL.sql), connection.query(AGAIN.sql)
    same = "the same numbers, to the last digit" if first.rows == again.rows else "other numbers"
    price = "free" if again.replayed else privacy_loss_text(again.price)
    screen.print()
    _remark(screen, f"{len(again)} rows: {same}; price: {price}", "green")
    _remark(screen, AGAIN.remark, "italic")
    screen.print()


def _remark(screen: Console, text: str, style: str) -> None:
    """Print an indented remark in a style."""
    screen.print(Padding(Text(text, style), (0, 0, 0, 2)))


def _command() -> str:
    """Command by which this user starts passersby: its name on PATH, or the path of the script."""
    if shutil.which("passersby"):
        return "passersby"
    here = Path(sys.argv[0])
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here)
