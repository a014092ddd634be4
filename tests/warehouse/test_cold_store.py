"""Folders and S3-compatible stores; where a store breaks or is full, the hot rows stay and nothing is an archive."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import fsspec
import pytest
from moto.server import ThreadedMotoServer
from psycopg import sql

from tests import cold
from tests.house import House, row
from warehouse import cold_loading, cold_verifying, cold_writing, cooling
from warehouse.cold_reading import SHA256
from warehouse.cold_store import SealedAlreadyError, Store, StoreError, UnreachableStoreError

INTO = sql.Identifier("restage_build", "visits_back")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket on this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"cold-{uuid4().hex}"  # what moto keeps outlives its server
    boto3.client("s3").create_bucket(Bucket=bucket)
    fsspec.filesystem("s3").clear_instance_cache()
    yield f"s3://{bucket}/archive"
    fsspec.filesystem("s3").clear_instance_cache()
    server.stop()


def objects(url: str) -> dict[str, bytes]:
    client, bucket = boto3.client("s3"), url.split("/")[2]
    found = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {one["Key"]: client.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in found}


def unmoved(house: House, set_id) -> None:
    assert len(cold.hot_rows(house, set_id)) == 2
    assert cold.part_of(house, set_id).cold is None and cold.part_of(house, set_id).hot


def test_an_object_store_keeps_a_set_as_a_folder_does(house: House, s3: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cold_writing, "ROW_GROUP_BYTES", 50_000)
    monkeypatch.setattr(cold_writing, "FILE_BYTES", 20_000)
    tier = cold.tier(s3)
    set_id = cold.kept(house, *(row(str(n), note=os.urandom(40).hex()) for n in range(1_000)))
    hot = cold.hot_rows(house, set_id)
    outcome = cold.cool(house, tier, set_id, drop_hot=True)
    assert outcome["tables"]["visits"]["files"] > 1
    loaded = cold_loading.load(
        house.connection,
        tier.store,
        tier.secrets,
        set_id,
        "visits",
        into=INTO,
        known=cooling.known(cold.part_of(house, set_id)),
    )
    assert cold.rows_in(house, INTO, [column["name"] for column in loaded.columns]) == hot
    (changed,) = [key for key in objects(s3) if key.endswith("rows-0001.parquet")]
    content = objects(s3)[changed]
    boto3.client("s3").put_object(Bucket=s3.split("/")[2], Key=changed, Body=content[:-9] + b"x" + content[-8:])
    found = cold_verifying.verify(tier.store, tier.secrets, set_id, "visits")
    assert [finding.verdict for finding in found.findings] == [SHA256]


def test_a_large_file_goes_up_in_parts(s3: str):
    store, content = Store(s3), os.urandom(20 << 20)
    with store.create("sets/one/two/three/large") as stream:
        for start in range(0, len(content), 1 << 20):
            stream.write(content[start : start + (1 << 20)])
    assert list(objects(s3).values()) == [content]


@pytest.mark.parametrize("kind", ["folder", "s3", "memory"])
def test_a_manifest_is_written_once(kind: str, tmp_path: Path, request: pytest.FixtureRequest):
    url = {"folder": str(tmp_path / "x"), "memory": f"memory://{tmp_path}"}.get(kind) or request.getfixturevalue("s3")
    store = Store(url)
    store.seal("sets/a/b/manifest.json", b"first")
    with pytest.raises(SealedAlreadyError):
        store.seal("sets/a/b/manifest.json", b"second")
    assert store.read("sets/a/b/manifest.json") == b"first"
    assert [item.name for item in store.listing("sets")] == ["sets/a/b/manifest.json"]


def test_a_store_that_is_away_is_told_as_passing(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fsspec.filesystem("s3").clear_instance_cache()
    set_id = cold.kept(house)
    with pytest.raises(UnreachableStoreError):
        cold.cool(house, cold.tier("s3://cold/archive"), set_id)
    fsspec.filesystem("s3").clear_instance_cache()
    unmoved(house, set_id)


class Breaking:
    """os.fsync, os.link or write() that fails at the n-th call."""

    def __init__(self, act, at: int) -> None:
        self.act, self.left = act, at

    def __call__(self, *words):
        self.left -= 1
        if self.left < 0:
            raise OSError(5, "Input/output error")
        return self.act(*words)


@pytest.mark.parametrize(
    ("name", "at"), [*(("fsync", at) for at in range(11)), ("link", 0), ("rename", 0), ("rename", 1)]
)
def test_a_disk_that_fails_at_any_call_costs_nothing(house: House, tmp_path: Path, monkeypatch, name: str, at: int):
    set_id, tier = cold.kept(house), cold.tier(tmp_path / "archive")
    breaking = Breaking(getattr(os, name), at)
    with monkeypatch.context() as patched, contextlib.suppress(StoreError):
        patched.setattr(os, name, breaking)
        cold.cool(house, tier, set_id)
    assert breaking.left < 0
    unmoved(house, set_id)
    cold.cool(house, tier, set_id, drop_hot=True)
    assert cold_verifying.verify(tier.store, tier.secrets, set_id, "visits").holds


FULL = """
import os, subprocess, sys, psycopg
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", sys.argv[2]], check=True)
from pathlib import Path
from uuid import uuid4
from uuid import UUID
from tests import cold
from tests.house import House
from warehouse import registry
from warehouse.cold_store import StoreError
known = registry.load([registry.SHIPPED, Path(sys.argv[3])])
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    house = House(connection, known, Path(sys.argv[4]))
    try:
        cold.cool(house, cold.tier(sys.argv[2]), UUID(sys.argv[5]))
    except StoreError as error:
        print(error, len(cold.files(Path(sys.argv[2]))))
"""


def test_a_full_disk_costs_nothing(house: House, tmp_path: Path, warehouse_url: str, extracts_folder: Path):
    set_id = cold.kept(house, *(row(str(n), note=os.urandom(200).hex()) for n in range(2_000)))
    hot = cold.hot_rows(house, set_id)
    (tmp_path / "disk").mkdir()
    words = [warehouse_url, str(tmp_path / "disk"), str(extracts_folder), str(tmp_path / "deliveries"), str(set_id)]
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user", "--user"])]
    if subprocess.run(
        [*unshare, "mount", "-t", "tmpfs", "tmpfs", words[1]], capture_output=True, check=False
    ).returncode:
        pytest.skip("This machine lets nobody mount a tmpfs.")
    done = subprocess.run(
        [*unshare, sys.executable, "-c", FULL, *words], capture_output=True, text=True, check=False, cwd=Path.cwd()
    )
    assert "No space left on device" in done.stdout and done.stdout.strip().endswith(" 0"), done.stderr
    assert cold.hot_rows(house, set_id) == hot
    assert cold.part_of(house, set_id).cold is None
