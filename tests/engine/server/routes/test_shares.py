"""Links to shared numbers, over HTTP and in a browser: who sees what, who pays, and when they end."""

from __future__ import annotations

from engine.server.http.roles import Role
from engine.server.storage import shares
from tests.support.server.serving import TestServer, bearer
from tests.support.server.visiting import Browser, visitors

COUNT = "SELECT count(*) AS visits FROM visit"
RHO = 0.005


def spent(served: TestServer, client: str | None) -> float:
    rows = served.send("GET", "/v1/budget", Role.ADMIN).json()["accounts"]
    return float(sum(r["spent_rho"] for r in rows if (r["client"], r["window"]) == (client, "forever")))


def another(served: TestServer) -> dict[str, str]:
    return bearer(served.house.keys.make("bob", Role.ANALYST, by="test", days=1)["key"])


def test_a_share_link_shows_the_query_and_gives_numbers_to_who_pays(served: TestServer) -> None:
    own, bob = served.ask(COUNT).json()["rows"], another(served)
    made = served.send("POST", "/v1/shares", json={"sql": COUNT}).json()
    assert len(made["id"]) == 32
    offer = served.client.get(f"/v1/shares/{made['id']}", headers=bob).json()
    assert (offer["by"], offer["sql"], offer["price"]["rho"], offer["paid"]) == ("analyst", COUNT, RHO, False)
    assert str(own[0][0]) not in str(offer).replace(made["id"], "")
    for _ in range(2):
        taken = served.client.post(f"/v1/shares/{made['id']}/take", headers=bob).json()
        assert (taken["rows"], taken["replayed"]) == (own, True)
        assert (spent(served, "bob"), spent(served, "analyst"), spent(served, None)) == (RHO, RHO, RHO)


def test_a_link_ends(served: TestServer) -> None:
    served.ask(COUNT)
    bob = another(served)
    first, second = (served.send("POST", "/v1/shares", json={"sql": COUNT}).json()["id"] for _ in range(2))
    assert served.client.delete(f"/v1/shares/{first}", headers=bob).status_code == 404
    assert served.send("DELETE", f"/v1/shares/{first}").status_code == 200
    with served.house.tables._store.writing() as connection:  # thirty days later
        connection.execute(shares.update().values(expires_at="2020-01-01T00:00:00.000+00:00"))
    for name in (first, second, "nothing"):
        for path, method in ((f"/v1/shares/{name}", "GET"), (f"/v1/shares/{name}/take", "POST")):
            assert served.client.request(method, path, headers=bob).json()["code"] == "E_NOT_FOUND"
    assert spent(served, "bob") == 0


def test_a_browser_shares_and_another_pays_before_it_sees(served: TestServer) -> None:
    analyst, other = visitors(served, Role.ANALYST)[Role.ANALYST], Browser(served)
    other.enter(served.house.keys.make("bob", Role.ANALYST, by="test", days=1)["key"])
    assert "Share these numbers" in analyst.post("/console/ask", sql=COUNT, do="ask").text
    link = analyst.post("/console/shared/make", sql=COUNT, rho="").headers["location"]
    assert "Copy the address" in analyst.get(link).text and link in analyst.get("/console/shared").text
    assert "They cost you rho <strong>0.005</strong>" in other.get(link).text
    assert 'id="answer"' not in other.get(link).text
    assert 'id="answer"' in other.post(f"{link}/take").text
    assert "You have paid for these numbers" in other.get(link).text
    assert other.post(f"{link}/end").status_code == 404
    assert "Sure?" in analyst.post(f"{link}/end").text
    assert analyst.post(f"{link}/end", sure="yes").status_code == 303
    assert other.get(link).status_code == 404
