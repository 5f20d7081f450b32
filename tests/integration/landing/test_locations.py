"""Landing from SFTP, S3 and the platform's API: real servers on loopback, the same promises as for a folder."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.servers import Handler, SftpServer, serve
from tests.support import query, sample, write_feed
from yingjian.database import warehouse
from yingjian.landing import locations
from yingjian.landing.land import LandingSummary, land
from yingjian.settings import Settings

BUCKET = "exports"
PASSWORD = "only-for-this-test"
SUMS = "select count(*) from staging.test_results"


@pytest.fixture
def home(home: Settings) -> Settings:
    """Nothing pulled, either."""
    shutil.rmtree(home.pulled, ignore_errors=True)
    return home


class _S3:
    """The fixture makes a bucket with a `landing/` prefix."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self._endpoint = f"http://{host}:{port}"
        self._client = boto3.client(
            "s3", endpoint_url=self._endpoint, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key=PASSWORD,
        )  # fmt: skip
        self._client.create_bucket(Bucket=BUCKET)
        extra = {"endpoint_url": self._endpoint, "region_name": "us-east-1"}
        connection = {"conn_type": "aws", "login": "test", "password": PASSWORD, "extra": extra}
        os.environ["AIRFLOW_CONN_YINGJIAN_S3"] = json.dumps(connection)
        self.uri = f"s3://yingjian_s3@{BUCKET}/landing"

    def fill(self, folder: Path) -> None:
        for item in self._client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            self._client.delete_object(Bucket=BUCKET, Key=item["Key"])
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            self._client.upload_file(str(path), BUCKET, f"landing/{path.relative_to(folder)}")

    def stop(self) -> None:
        self._server.stop()


class _Sftp(SftpServer):
    """The fixture starts an SFTP server with a `landing/` folder."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        os.environ["AIRFLOW_CONN_YINGJIAN_SFTP"] = self.connection
        self.uri = "sftp://yingjian_sftp@/landing"

    def fill(self, folder: Path) -> None:
        shutil.rmtree(self.root / "landing", ignore_errors=True)
        shutil.copytree(folder, self.root / "landing")


class _Api:
    """The platform's paginated API; `failures` answers in a row are refused first."""

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, str]]] = {}
        self.failures = 0
        self.answer: bytes | None = None  # The platform answers so instead of with a page.
        self.breaks_at: str | None = None
        self.asked: list[str] = []
        api = self

        class Pages(Handler):
            def do_GET(self) -> None:
                parsed = urlparse(self.path)
                feed = parsed.path.rsplit("/", 1)[-1]
                start = int(parse_qs(parsed.query).get("cursor", ["0"])[0])
                if feed not in api.records:
                    self.send_error(404)
                    return
                api.asked.append(f"{feed} {start}")
                if api.failures or api.breaks_at == str(start):
                    api.failures = max(0, api.failures - 1)
                    self.send_error(503)
                    return
                page = api.records[feed][start : start + 10]
                body = json.dumps({"records": page, "next": str(start + len(page)) if page else None}).encode()
                body = api.answer or body
                self.answer(body, **({"Content-Encoding": "gzip"} if body.startswith(b"\x1f\x8b") else {}))

        self._server = serve(Pages)
        self.uri = f"http://127.0.0.1:{self._server.server_port}/v1"

    def fill(self, folder: Path) -> None:
        import csv

        self.records = {}
        for path in sorted(folder.rglob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                self.records.setdefault(path.parent.name, []).extend(csv.DictReader(file))

    def stop(self) -> None:
        self._server.shutdown()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    by_kind = {"s3": _S3(), "sftp": _Sftp(tmp_path_factory.mktemp("sftp")), "api": _Api()}
    yield by_kind
    for server in by_kind.values():
        server.stop()  # type: ignore[attr-defined]


@pytest.fixture(params=["s3", "sftp", "api"])
def server(request: pytest.FixtureRequest, servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(locations, "FIRST_WAIT", 0.01)
    return servers[request.param]


def land_from(home: Settings, uri: str) -> LandingSummary:
    return land(uri, warehouse.connector(home), home.person_secret, home.pulled)


def exports(folder: Path, files: int = 4, rows: int = 25) -> Path:
    for i in range(files):
        write_feed(folder, "test_results", [sample(f"S{i}-{j}") for j in range(rows)], f"{i}.csv")
    return folder


def test_everything_lands_once(home: Settings, server: Any, tmp_path: Path) -> None:
    folder = exports(tmp_path)
    write_feed(folder, "test_results", [sample("S0-0", 检测结果="阳性", 更新时间="2022-07-05 08:00:00")], "new.csv")
    server.fill(folder)
    first = land_from(home, server.uri)
    assert query(home, SUMS) == [(100,)]
    assert query(home, "select result from staging.test_results where sample_key = 'S0-0'") == [("阳性",)]
    again = land_from(home, server.uri)
    assert (first.rows_read, again.files_staged, again.files_rejected) == (101, 0, 0)
    assert query(home, "select bool_and(rows_read = rows_staged + rows_rejected + rows_superseded) from quality.landed_file") == [(True,)]  # fmt: skip


def test_a_page_whose_records_leave_out_what_they_do_not_have(
    home: Settings, servers: dict[str, Any], tmp_path: Path
) -> None:
    api = servers["api"]
    api.fill(exports(tmp_path, files=1, rows=3))
    for number, record in enumerate(api.records["test_results"]):
        del record["采样点"], record["试管编号"]
        record |= {"id": number, "updated_by": None}
    land_from(home, api.uri)
    assert query(home, SUMS) == [(3,)]


def test_values_that_are_no_text_are_written_as_a_cell_of_a_sheet_is(
    home: Settings, servers: dict[str, Any], tmp_path: Path
) -> None:
    api = servers["api"]
    api.fill(exports(tmp_path, files=1, rows=3))
    for record, value in zip(api.records["test_results"], (["一号", "二号"], "一号\r二号", None), strict=True):
        record["采样点"] = value
    land_from(home, api.uri)
    assert query(home, "select sampling_point from staging.test_results order by sample_key") == [
        ("一号、二号",), ("一号\n二号",), (None,),
    ]  # fmt: skip


def test_two_landings_at_once(home: Settings, server: Any, tmp_path: Path) -> None:
    server.fill(exports(tmp_path))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: land_from(home, server.uri), range(2)))
    assert query(home, SUMS) == [(100,)]
    assert query(home, "select sum(rows_staged) from quality.landed_file") == [(100,)]


@pytest.mark.beyond
def test_killed_and_run_again(home: Settings, server: Any, tmp_path: Path) -> None:
    server.fill(exports(tmp_path, files=8, rows=60))
    context = multiprocessing.get_context("spawn")
    rng, kills = random.Random(3), 0
    for _ in range(3):
        child = context.Process(target=land_from, args=(home, server.uri))
        child.start()
        time.sleep(rng.uniform(2.0, 5.0))
        if child.is_alive():
            os.kill(child.pid or 0, signal.SIGKILL)
            kills += 1
        child.join()
        staged = query(home, "select coalesce(sum(rows_staged), 0) from quality.landed_file")[0][0]
        assert query(home, SUMS) == [(staged,)], "no half file"
    land_from(home, server.uri)
    assert query(home, SUMS) == [(480,)]


def test_a_pull_goes_on_where_it_broke_off(
    home: Settings, servers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locations, "FIRST_WAIT", 0.01)
    api = servers["api"]
    api.fill(exports(tmp_path, files=1, rows=45))
    api.failures, api.asked, api.breaks_at = 2, [], "30"
    with pytest.raises(OSError, match="API does not give test_results: HTTPStatusError 503"):
        land_from(home, api.uri)
    assert api.asked[:4] == ["test_results 0", "test_results 0", "test_results 0", "test_results 10"], (
        "it waits and asks again"
    )
    api.breaks_at, api.asked = None, []
    land_from(home, api.uri)
    assert api.asked[0] == "test_results 30"
    assert query(home, SUMS) == [(45,)]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (gzip.compress(b" " * 5_000_000), "ValueError"),
        (b"[" * 200_000, "RecursionError"),
        (b'{"records": [[1, 2]]}', "no list of records"),
        (b"not JSON", "JSONDecodeError"),
    ],
    ids=["bomb", "nested", "records", "text"],
)
def test_an_answer_that_is_no_page(
    home: Settings, servers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, why: str
) -> None:
    monkeypatch.setattr(locations, "MAX_PAGE_BYTES", 1_000_000)
    api = servers["api"]
    api.fill(exports(tmp_path, files=1, rows=5))
    monkeypatch.setattr(api, "answer", answer)
    with pytest.raises(OSError, match=f"API does not give test_results: .*{why}"):
        land_from(home, api.uri)
    monkeypatch.setattr(api, "answer", None)
    land_from(home, api.uri)
    assert query(home, SUMS) == [(5,)]


def test_what_is_no_location(home: Settings) -> None:
    with pytest.raises(ValueError, match="ftp:// is not supported"):
        land_from(home, "ftp://somewhere/landing")
