"""The portal's own sign-in: passwords, pauses, sessions, a provider on loopback; and the decisions that are taken there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx

from tests.portal import Portal, ask_release, ask_sign_off
from yingjian.database import warehouse
from yingjian.portal.access import COOKIE
from yingjian.publishing import decision

OWN = "一个足够长的密码 2022"
TOKEN = re.compile(r'name="form_token" value="([^"]+)"')


def sign_in(client: httpx.Client, login: str, password: str, **data: str) -> httpx.Response:
    return client.post("/sign-in", data={"login": login, "password": password, **data})


def form(client: httpx.Client, path: str, **data: str) -> httpx.Response:
    """Send a form with the token of the page at the same path, or of any other page."""
    found = TOKEN.search(client.get(path).text) or TOKEN.search(client.get("/password").text)
    assert found
    return client.post(path, data={"form_token": found[1], **data})


def trail(portal: Portal, after: int = 0) -> list[tuple]:  # type: ignore[type-arg]
    return portal.query(
        "select actor, action, object, details - 'service' from audit.event where event_id > %s order by event_id",
        after,
    )


def end_of_trail(portal: Portal) -> int:
    return int(portal.query("select coalesce(max(event_id), 0) from audit.event")[0][0])


@contextmanager
def official(portal: Portal, login: str) -> Iterator[httpx.Client]:
    """An official with an own password, signed in."""
    with portal.client() as client:
        assert sign_in(client, login, portal.invite(login)).headers["location"] == "/"
        assert form(client, "/password", new=OWN, again=OWN).headers["location"] == "/"
        yield client


def test_a_first_password_signs_in_once_and_only_to_set_an_own_one(portal):
    portal.invite("clerk")  # It ends the sessions that other tests left open.
    start, first = end_of_trail(portal), portal.invite("clerk")
    with portal.client() as client, portal.client() as other:
        answer = sign_in(client, "clerk", first, next="/lists")
        assert (answer.status_code, answer.headers["location"]) == (303, "/lists")
        cookie = answer.headers["set-cookie"].lower()
        assert COOKIE in cookie and "httponly" in cookie and "samesite=lax" in cookie and "secure" not in cookie
        assert client.get("/lists").headers["location"] == "/password"
        assert client.get("/").headers["location"] == "/password"
        assert sign_in(other, "clerk", first).status_code == 401, "it is used up"
        for new, again, says in (
            ("short", "short", "太短"), ("x" * 12, "x" * 12, "太简单"), (OWN, OWN + "x", "不一致"), ("clerk12345678", "clerk12345678", "用户名"),
        ):  # fmt: skip
            refused = form(client, "/password", new=new, again=again)
            assert refused.status_code == 422 and says in refused.text, new
        before = client.cookies[COOKIE]
        assert form(client, "/password", new=OWN, again=OWN).headers["location"] == "/"
        assert client.cookies[COOKIE] != before
        assert client.get("/lists").status_code == 200
        assert sign_in(other, "clerk", OWN).status_code == 303
    told = [(actor, action, about) for actor, action, about, _ in trail(portal, start)]
    assert told == [
        ("tester", "invite", "account:clerk"), ("clerk", "sign_in", "portal"), ("clerk", "sign_in_failed", "portal"),
        ("clerk", "password_set", "portal"), ("clerk", "sessions_ended", "portal"), ("clerk", "sign_in", "portal"),
        ("clerk", "sign_in", "portal"),
    ]  # fmt: skip
    [(hashed,)] = portal.query("select password_hash from portal.account where login = 'clerk'")
    assert hashed.startswith("$argon2id$") and OWN not in hashed


def test_a_first_password_is_over_after_a_week(portal):
    first = portal.invite("clerk")
    with warehouse.connect(portal.settings) as conn:
        conn.execute("update portal.account set first_until = now() - interval '1 second' where login = 'clerk'")
    with portal.client() as client:
        assert sign_in(client, "clerk", first).status_code == 401


def test_failures_bring_growing_pauses_and_the_right_password_waits_too(portal):
    with official(portal, "clerk"):
        pass
    pauses = []
    with portal.client() as client:
        for _ in range(4):
            assert sign_in(client, "clerk", "wrong").status_code == 401
        for _ in range(3):
            assert sign_in(client, "clerk", "wrong").status_code == 401
            blocked = sign_in(client, "clerk", OWN)
            assert blocked.status_code == 429
            pauses.append(int(re.findall(r"请 (\d+) 秒后再试", blocked.text)[0]))
            with warehouse.connect(portal.settings) as conn:
                conn.execute("update portal.attempt set blocked_until = now()")
        assert [round(pause / 30) for pause in pauses] == [1, 2, 4]
        assert sign_in(client, "clerk", OWN).status_code == 303, "a pause ends"
    assert portal.query("select count(*) from portal.attempt") == [(0,)]


def test_guesses_of_another_address_keep_the_official_not_waiting(portal):
    """The proxy in front names the reader's address."""
    portal.invite("clerk")
    with official(portal, "clerk"):
        pass
    with portal.client() as client:
        elsewhere = {"X-Forwarded-For": "10.9.9.9"}
        login = {"login": "clerk", "password": "wrong"}
        answers = [client.post("/sign-in", data=login, headers=elsewhere).status_code for _ in range(6)]
        assert answers == [401] * 5 + [429]
        assert sign_in(client, "clerk", OWN).status_code == 303
    portal.invite("clerk")


def test_guesses_at_once_do_not_slip_by(portal):
    portal.invite("clerk")

    def guess(number: int) -> int:
        with portal.client() as client:
            return sign_in(client, "clerk", f"guess {number}").status_code

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(guess, range(12)))
    assert answers.count(401) == 5 and answers.count(429) == 7
    portal.invite("clerk")


def test_whether_a_login_exists_is_not_told_and_what_was_typed_is_on_no_record(portal):
    typed = "110101199003074477"
    start = end_of_trail(portal)
    portal.invite("clerk")
    with portal.client() as client:
        answers = [re.sub(r'value="[^"]*"', "", sign_in(client, who, "x").text) for who in ("clerk", typed)]
        assert answers[0] == answers[1] and "用户名或密码不正确" in answers[0]
        for _ in range(5):
            sign_in(client, typed, "x")
        assert sign_in(client, typed, "x").status_code == 429
        assert sign_in(client, "a\x00b", "x").status_code in (400, 401)
    assert {actor for actor, action, *_ in trail(portal, start) if action == "sign_in_failed"} == {"clerk", "unknown"}
    assert typed not in str(trail(portal, start)) + portal.log.read_text()
    assert typed not in str(portal.query("select * from portal.attempt"))
    with warehouse.connect(portal.settings) as conn:
        conn.execute("delete from portal.attempt")


def test_sessions_end_by_sign_out_time_a_new_password_an_invitation_and_leaving(portal):
    with official(portal, "clerk") as client, portal.client() as other:
        token = client.cookies[COOKIE]
        assert token not in str(portal.query("select * from portal.session"))
        assert form(client, "/sign-out").headers["location"] == "/sign-in"
        assert COOKIE not in client.cookies
        client.cookies.set(COOKIE, token, domain="127.0.0.1")
        assert client.get("/lists").status_code == 303, "the server forgot it"
        client.cookies.clear()

        assert sign_in(client, "clerk", OWN).status_code == sign_in(other, "clerk", OWN).status_code == 303
        assert form(client, "/password", old="wrong", new=OWN + "!", again=OWN + "!").status_code == 401
        assert form(client, "/password", old=OWN, new=OWN, again=OWN).status_code == 422
        assert form(client, "/password", old=OWN, new=OWN + "!", again=OWN + "!").status_code == 303
        assert client.get("/lists").status_code == 200
        assert other.get("/lists").status_code == 303, "the other device is signed out"

        for column, past in (("ends_at", "1 second"), ("seen_at", "2 hours")):
            assert sign_in(other, "clerk", OWN + "!").status_code == 303
            assert other.get("/lists").status_code == 200
            with warehouse.connect(portal.settings) as conn:
                conn.execute(f"update portal.session set {column} = now() - interval '{past}' where login = 'clerk'")
            assert other.get("/lists").status_code == 303, column

        assert sign_in(other, "clerk", OWN + "!").status_code == 303
        portal.invite("clerk")
        assert other.get("/lists").status_code == 303

    with official(portal, "health") as client:
        written = portal.settings.officials.read_text()
        start = end_of_trail(portal)
        try:
            portal.settings.officials.write_text(written.replace("health", "gone"))
            assert client.get("/lists").status_code == 303
            with portal.client() as again:
                assert sign_in(again, "health", OWN).status_code == 401
        finally:
            portal.settings.officials.write_text(written)
        assert client.get("/lists").status_code == 303, "it does not come back"
    assert ("health", "sessions_ended", "portal", {"because": "left"}) in trail(portal, start)


def test_a_form_of_another_site_is_refused(portal):
    with official(portal, "clerk") as client:
        assert client.post("/sign-out").status_code == 403, "without the token"
        own = TOKEN.search(client.get("/password").text)
        assert own
        for header in (
            {"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"sec-fetch-site": "same-site"},
        ):  # fmt: skip
            answer = client.post("/sign-out", data={"form_token": own[1]}, headers=header)
            assert answer.status_code == 403, header
            assert client.post("/sign-in", data={"login": "x"}, headers=header).status_code == 403
            assert client.post("/language", data={"language": "en"}, headers=header).status_code == 403
        assert client.post("/language", data={"language": "en"}, headers={"origin": portal.url}).status_code == 303
        with portal.client("grid") as grid:
            others = TOKEN.search(grid.get("/password").text)
            assert others
        assert client.post("/sign-out", data={"form_token": others[1]}).status_code == 403


def test_after_the_sign_in_one_stays_on_this_site(portal):
    for back in ("//evil.example", "https://evil.example", "/\\evil.example"):
        with portal.client() as client:
            assert sign_in(client, "clerk", portal.invite("clerk"), next=back).headers["location"] == "/"


def test_the_cookie_is_secure_where_the_proxy_speaks_https(portal):
    with portal.client() as client:
        client.headers["x-forwarded-proto"] = "https"
        assert "secure" in sign_in(client, "clerk", portal.invite("clerk")).headers["set-cookie"].lower()


def test_the_service_says_whether_it_works(portal):
    with portal.client() as client:
        assert client.get("/health").json() == {"status": "ok"}


# These tests decide.


def test_a_release_is_decided_once_by_who_may_with_a_reason(portal):
    question = ask_release(portal)
    path = f"/release/{question}"
    start = end_of_trail(portal)
    with portal.client("director") as director, portal.client("grid") as grid, portal.client("operator") as operator:
        for client in (grid, operator):
            assert client.get(path).status_code == 403
            assert form(client, path, choice="agree", reason="已核").status_code == 403
        shown = director.get(path).text
        assert "逾期名单与底册不一致" in shown and "没有问题" not in shown and "只是提示" not in shown
        assert "同意" in shown and "退回" in shown
        for reason in ("", " . ", "1"):
            assert form(director, path, choice="agree", reason=reason).status_code == 422
        assert form(director, path, choice="other", reason="已核").status_code == 400
        assert director.get(f"/sign-off/{question}").status_code == 404, "it is no sign-off"
        assert director.get("/release/999999").status_code == 404
        assert decided(portal, question) == []
        assert form(director, path, choice="agree", reason="  已核\n 名册 ").headers["location"] == path
        assert decided(portal, question) == [("director", "街道主要领导", True, "已核 名册")]
        assert "已同意" in director.get(path).text
        again = form(director, path, choice="return", reason="不行")
        assert again.status_code == 409
    assert decided(portal, question) == [("director", "街道主要领导", True, "已核 名册")]
    assert [row for row in trail(portal, start) if row[1] == "release_decision"] == [
        ("director", "release_decision", f"question:{question}", {"business_date": "2022-07-21", "is_released": True})
    ]


def test_a_question_that_is_over_takes_no_answer(portal):
    closed, ended, left = ask_release(portal), ask_release(portal), ask_release(portal)
    with warehouse.connect(portal.settings) as conn:
        decision.close(conn, closed, "superseded")
        conn.execute("update publishing.question set ends_at = now() where question_id = %s", (ended,))
    with portal.client("director") as director:
        for question in (closed, ended):
            assert "不再需要答复" in director.get(f"/release/{question}").text
            assert form(director, f"/release/{question}", choice="agree", reason="已核").status_code == 409
            assert decided(portal, question) == []
        token = TOKEN.search(director.get(f"/release/{left}").text)
        assert token
        written = portal.settings.officials.read_text()
        try:  # The right is asked for again when the decision is written.
            portal.settings.officials.write_text(written.replace("- release\n", "").replace("release, ", ""))
            sent = director.post(f"/release/{left}", data={"form_token": token[1], "choice": "agree", "reason": "已核"})
        finally:
            portal.settings.officials.write_text(written)
        assert sent.status_code == 403 and decided(portal, left) == []


def test_a_sign_off_shows_the_bulletin_and_what_changed(portal):
    question = ask_sign_off(portal.settings)
    path = f"/sign-off/{question}"
    with portal.client("director") as director, portal.client("clerk") as clerk:
        assert clerk.get(path).status_code == 403
        shown = director.get(path).text
        assert "疫情防控信息" in shown and "此前没有对外发布过" in shown
        assert "退回，则不发布" in shown and "前一期" not in shown, "the public has no earlier figures"
        values = portal.query(
            "select title from published.public_figure where publication_id = 2 and topic = 'testing' and community = ''"
        )
        assert values and all(title in shown for (title,) in values)
        with warehouse.connect(portal.settings) as conn:
            conn.execute(
                "insert into published.public_release (publication_id, decision, decided_by, run_key) values (1, 'released', 'director', 'x')"
            )
            conn.execute(
                "update published.public_figure_p1 set wording = '之前的状态。' where topic = 'state' and community = ''"
            )
            for publication, value in ((1, 100), (2, 102)):
                conn.execute(
                    f"update published.public_figure_p{publication} set value = {value}, is_protected = false"
                    " where topic = 'vaccination' and figure = 'residents_60plus' and community = ''"
                )
        changed = director.get(path).text
        assert "之前的状态。" in changed and "→" in changed
        assert "可由两次发布相减得出" not in shown and "可由两次发布相减得出" in changed and "+2" in changed
        assert form(director, path, choice="return", reason="").status_code == 422
        assert form(director, path, choice="return", reason="数字待核").headers["location"] == path
    assert decided(portal, question) == [("director", "街道主要领导", False, "数字待核")]


def decided(portal: Portal, question: int) -> list[tuple]:  # type: ignore[type-arg]
    return portal.query(
        "select decided_by, name, is_released, reason from publishing.decision where question_id = %s", question
    )


# These tests sign in by a provider.


def by_provider(portal: Portal, client: httpx.Client, start: str = "/sign-in/provider?next=/lists") -> httpx.Response:
    """Go to the provider as a browser does, and come back with its code."""
    away = client.get(start)
    assert away.status_code == 302, away.text
    assert "code_challenge_method=S256" in away.headers["location"] and "nonce=" in away.headers["location"]
    back = httpx.get(away.headers["location"], timeout=30).headers["location"]
    assert back.startswith(f"{portal.url}/sign-in/provider/back?")
    return client.get(back)


def test_a_provider_vouches_for_an_official(portal, provider):
    start = end_of_trail(portal)
    provider.login = "health"
    with portal.client() as client:
        assert 'href="/sign-in/provider?next=' in client.get("/sign-in").text
        answer = by_provider(portal, client)
        assert (answer.status_code, answer.headers["location"]) == (303, "/lists"), answer.text
        assert client.get("/lists").status_code == 200
    assert ("health", "sign_in", "portal", {"way": "oidc"}) in trail(portal, start)


def test_who_is_not_on_the_list_stays_outside(portal, provider):
    start = end_of_trail(portal)
    for login in ("stranger", "", "lab-1"):
        provider.login = login
        with portal.client() as client:
            answer = by_provider(portal, client)
            assert answer.status_code == 403 and "未列入本系统名册" in answer.text, login
            assert client.get("/lists").status_code == 303
    assert {(actor, action) for actor, action, *_ in trail(portal, start)} == {("unknown", "sign_in_failed")}


def test_what_the_provider_says_is_checked(portal, provider):
    """Neither an ID token that is over, for somebody else, of another issuer or with another nonce, nor one of another key."""
    provider.login = "health"
    other = type(provider)().key
    for claims in (
        {"aud": ["another"]}, {"iss": "https://evil.example"}, {"exp": 1}, {"nonce": "another"},
    ):  # fmt: skip
        provider.claims = claims
        try:
            with portal.client() as client:
                answer = by_provider(portal, client)
                assert answer.status_code == 502 and "统一身份认证没有成功" in answer.text, claims
                assert COOKIE not in client.cookies
        finally:
            provider.claims = {}
    real, provider.published_key = provider.key, provider.key
    provider.key = other
    try:
        with portal.client() as client:
            assert by_provider(portal, client).status_code == 502
    finally:
        provider.key, provider.published_key = real, None


def test_a_code_of_another_browser_and_a_forged_state_open_nothing(portal, provider):
    provider.login = "health"
    with portal.client() as attacker, portal.client() as victim:
        away = attacker.get("/sign-in/provider")
        back = httpx.get(away.headers["location"], timeout=30).headers["location"]
        assert victim.get(back).status_code == 502, "the state belongs to another browser"
        assert COOKIE not in victim.cookies
        assert attacker.get("/sign-in/provider/back?error=access_denied&state=x").status_code == 502
        assert attacker.get("/sign-in/provider/back").status_code == 502


def test_after_the_provider_one_stays_on_this_site(portal, provider):
    provider.login = "health"
    with portal.client() as client:
        answer = by_provider(portal, client, "/sign-in/provider?next=//evil.example")
        assert answer.headers["location"] == "/"
