"""The client of Docker's API: what is asked, and whose words an error has."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Generator, Iterator
from http.client import RemoteDisconnected
from typing import Any, Self

import pytest
from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import ConnectionError as LibraryConnectionError, ReadTimeout
from urllib3.exceptions import ProtocolError

from pytest_warmci.clients import command
from pytest_warmci.clients.docker import Docker, Mount
from pytest_warmci.errors import CommandFailed, EngineUnavailable, FetchFailed
from tests.unit.docker_library import LOCAL, Api, library, refused

OURS = {"a": "1", "b": "2"}
FILTERS = {"label": ["a=1", "b=2"]}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return library(monkeypatch)


# -- what is asked -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        ("services", {}),
        ("tasks", {}),
        ("containers", {"all": True}),
        ("networks", {}),
        ("secrets", {}),
        ("configs", {}),
    ],
)
def test_lists_are_asked_for_by_label(verb: str, more: dict[str, Any], api: Api) -> None:
    api.answers[verb] = ({"ID": "1"},)

    assert [{"ID": "1"}] == getattr(Docker(LOCAL), verb)(OURS)
    assert [(verb, (), {**more, "filters": FILTERS})] == api.calls


@pytest.mark.parametrize(("answer", "expected"), [([{"Name": "x"}], [{"Name": "x"}]), (None, [])])
def test_volumes_are_within_an_answer(answer: object, expected: object, api: Api) -> None:
    """Nothing at all where there are none."""
    api.answers["volumes"] = {"Volumes": answer, "Warnings": None}

    assert expected == Docker(LOCAL).volumes(OURS)
    assert [("volumes", (), {"filters": FILTERS})] == api.calls


def test_names_of_networks(api: Api) -> None:
    api.answers["networks"] = [{"Name": "proxy"}, {"Name": "bridge"}]

    assert {"proxy", "bridge"} == Docker(LOCAL).network_names()
    assert [("networks", (), {})] == api.calls


def test_a_secret_is_found_by_exactly_that_name(api: Api) -> None:
    """Docker's filter takes the beginning of a name for it."""
    more, exact = {"Spec": {"Name": "key_v10"}}, {"Spec": {"Name": "key_v1"}}
    api.answers["secrets"] = [more, exact]

    assert exact == Docker(LOCAL).find_secret("key_v1")
    assert Docker(LOCAL).find_secret("key_v") is None
    assert ("secrets", (), {"filters": {"name": "key_v1"}}) == api.calls[0]


@pytest.mark.parametrize("kind", ["network", "volume", "container", "image"])
def test_found_by_looking(kind: str, api: Api) -> None:
    api.answers[f"inspect_{kind}"] = {"Id": "1"}
    find = getattr(Docker(LOCAL), f"find_{kind}")
    assert {"Id": "1"} == find("name")

    api.answers[f"inspect_{kind}"] = refused(404, "No such thing", NotFound)
    assert find("name") is None

    api.answers[f"inspect_{kind}"] = refused(500, "broken")
    with pytest.raises(CommandFailed, match="Docker refused"):
        find("name")
    assert [(f"inspect_{kind}", ("name",), {})] * 3 == api.calls


def test_making_things(api: Api) -> None:
    api.answers |= {"create_secret": {"ID": "1"}, "create_volume": {"Name": "v"}, "info": {"x": 1}}
    engine = Docker(LOCAL)

    engine.create_secret("s", b"value", OURS)
    assert {"Name": "v"} == engine.create_volume("v", OURS)
    assert {"x": 1} == engine.info()

    assert [
        ("create_secret", ("s", b"value"), {"labels": OURS}),
        ("create_volume", ("v",), {"labels": OURS}),
        ("info", (), {}),
    ] == api.calls


def test_the_end_of_a_log(api: Api) -> None:
    """Both outputs, and not followed: that would never end."""
    api.answers["service_logs"] = iter([b"one", b"two"])

    assert [b"one", b"two"] == list(Docker(LOCAL).service_logs("id", 15))
    asked = {"stdout": True, "stderr": True, "tail": "15"}
    assert [("service_logs", ("id",), asked)] == api.calls


# -- containers that never run -------------------------------------------------------------------


def test_an_image_of_nothing(api: Api) -> None:
    """From an archive without a file."""
    api.answers["import_image_from_data"] = '{"status":"sha256:1"}'

    Docker(LOCAL).create_image("some/nothing:1", OURS)

    [(_, (data,), more)] = api.calls
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert [] == tar.getnames()
    assert {
        "repository": "some/nothing",
        "tag": "1",
        "changes": ["LABEL a=1", "LABEL b=2"],
    } == more


def test_a_container_with_a_volume(api: Api) -> None:
    """Docker must not fill it from the image, and not hide what it makes."""
    api.answers["create_container"] = {"Id": "c0ffee", "Warnings": None}
    mount = Mount("v", "/there", read_only=True, labels={"mistake": "1"})

    assert "c0ffee" == Docker(LOCAL).create_container("name", "image:1", OURS, mount)

    [(_, (image, command), more)] = api.calls
    assert "image:1" == image
    assert command
    host = more.pop("host_config")
    assert {"name": "name", "labels": OURS} == more
    assert "none" == host["NetworkMode"]
    options = {"NoCopy": True, "Labels": {"mistake": "1"}}
    assert [
        {
            "Target": "/there",
            "Source": "v",
            "Type": "volume",
            "ReadOnly": True,
            "VolumeOptions": options,
        }
    ] == host["Mounts"]


class Answer:
    """What the engine sends when a folder is asked for."""

    def __init__(self, chunks: list[bytes | Exception], text: str = "") -> None:
        self._chunks = chunks
        self.ok, self.text = not text, text
        self.open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.open = False

    def iter_content(self, size: int) -> Iterator[bytes]:
        assert size >= 1 << 16
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


def archive(api: Api, answer: Answer) -> Generator[bytes, None, None]:
    api.answers |= {"get": answer}
    api.base_url, api.api_version = "http+docker://localhost", "1.41"  # type: ignore[attr-defined]
    return Docker(LOCAL).read_archive("c0ffee", "/there")


def test_a_folder_comes_in_pieces(api: Api) -> None:
    """An engine that hangs in between must not hang us."""
    answer = Answer([b"one", b"two"])

    assert [b"one", b"two"] == list(archive(api, answer))

    [(_, (url,), more)] = api.calls
    assert "http+docker://localhost/v1.41/containers/c0ffee/archive" == url
    assert {"Accept-Encoding": "identity"} == more.pop(
        "headers"
    )  # not compressed: 20 times slower
    assert {"params": {"path": "/there"}, "stream": True, "timeout": 60} == more
    assert not answer.open


def test_a_folder_that_does_not_come(api: Api) -> None:
    """Refused, or cut off in the middle."""
    with pytest.raises(CommandFailed) as caught:
        list(archive(api, Answer([], "Could not find the file /there")))
    assert "Could not find the file /there" == caught.value.why

    answer = Answer([b"one", ReadTimeout("too long")])
    pieces = archive(api, answer)
    assert b"one" == next(pieces)
    with pytest.raises(EngineUnavailable):
        next(pieces)
    assert not answer.open


def test_one_that_is_not_wanted_any_more_is_let_go(api: Api) -> None:
    answer = Answer([b"one", b"two"])
    pieces = archive(api, answer)
    next(pieces)

    pieces.close()

    assert not answer.open


def test_a_folder_is_written(api: Api) -> None:
    """What goes wrong with what is sent is not the engine's fault."""
    api.answers["put_archive"] = True
    pieces = iter([b"one"])

    Docker(LOCAL).write_archive("c0ffee", "/", pieces)

    assert [("put_archive", ("c0ffee", "/", pieces), {})] == api.calls
    api.answers["put_archive"] = refused(500, "no space left on device")
    with pytest.raises(CommandFailed, match="Docker refused"):
        Docker(LOCAL).write_archive("c0ffee", "/", pieces)


# -- removing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["service", "network", "secret", "config", "volume", "container"])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (True, True),
        (None, True),
        (refused(404, "no such thing", NotFound), True),
        (refused(409, "remove x: volume is in use - [c0ffee]"), False),
        (refused(403, "error while removing network: network x has active endpoints"), False),
        (refused(400, "rpc error: secret 'x' is in use by the following service: app"), False),
        (refused(400, "network x is being used by a task"), False),
    ],
)
def test_removing(kind: str, answer: object, expected: bool, api: Api) -> None:
    """What is not there is fine; what is used is not removed."""
    api.answers[f"remove_{kind}"] = answer

    assert expected is Docker(LOCAL).remove(kind, "x")
    assert [(f"remove_{kind}", ("x",), {})] == api.calls


@pytest.mark.parametrize(
    "error",
    [
        refused(500, "volume is in use"),
        refused(409, "update out of sequence"),
        refused(400, ""),
        APIError("no response at all"),
    ],
)
def test_a_refusal_to_remove_that_is_not_about_use(error: APIError, api: Api) -> None:
    api.answers["remove_volume"] = error

    with pytest.raises(CommandFailed, match="Docker refused"):
        Docker(LOCAL).remove("volume", "x")


# -- errors --------------------------------------------------------------------------------------


def test_a_refusal_has_dockers_own_words(api: Api) -> None:
    api.answers["services"] = refused(503, "This node is not a swarm manager.")

    with pytest.raises(CommandFailed) as caught:
        Docker(LOCAL).services(OURS)

    assert ("Docker refused", LOCAL.url, "This node is not a swarm manager.") == (
        caught.value.what,
        caught.value.where,
        caught.value.why,
    )


@pytest.mark.parametrize(
    "error",
    [ConnectionRefusedError(111, "refused"), ReadTimeout("too long"), DockerException("x")],
)
@pytest.mark.parametrize("verb", ["info", "find_image", "remove", "service_logs"])
def test_an_engine_that_is_gone(verb: str, error: Exception, api: Api) -> None:
    """Whatever is asked."""
    names = {"find_image": "inspect_image", "remove": "remove_volume"}
    api.answers[names.get(verb, verb)] = error
    engine = Docker(LOCAL)
    asks: dict[str, Callable[[], object]] = {
        "info": engine.info,
        "find_image": lambda: engine.find_image("x"),
        "remove": lambda: engine.remove("volume", "x"),
        "service_logs": lambda: list(engine.service_logs("x", 1)),
    }

    with pytest.raises(EngineUnavailable) as caught:
        asks[verb]()

    assert LOCAL.url == caught.value.where


def test_errors_within_errors_are_told_in_the_words_of_the_innermost_one(api: Api) -> None:
    """As the library has them when an engine dies over an answer."""
    died = RemoteDisconnected("Remote end closed connection without response")
    api.answers["info"] = LibraryConnectionError(ProtocolError("Connection aborted.", died))

    with pytest.raises(EngineUnavailable) as caught:
        Docker(LOCAL).info()

    assert "Remote end closed connection without response" == caught.value.why


# -- pulling -------------------------------------------------------------------------------------


def pulling(
    monkeypatch: pytest.MonkeyPatch, answer: command.Completed | CommandFailed
) -> list[tuple[list[str], dict[str, Any]]]:
    """Let what pulls end so; return what was run."""
    ran: list[tuple[list[str], dict[str, Any]]] = []

    def run(argv: list[str], **more: Any) -> command.Completed:
        ran.append((list(argv), more))
        if isinstance(answer, CommandFailed):
            raise answer
        return answer

    monkeypatch.setattr(command, "run", run)
    return ran


def test_pulling_has_a_limit(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command line: the library reads for as long as the registry stays silent."""
    ran = pulling(monkeypatch, command.Completed(0, b"", b""))

    Docker(LOCAL).pull("web:1")

    argv = ["docker", "--host", LOCAL.url, "pull", "--quiet", "--", "web:1"]
    assert [(argv, {"timeout": 1800})] == ran


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (CommandFailed("exit code 1", why="pull access denied"), "pull access denied"),
        (CommandFailed("no end after 1800 s", where="docker"), "no end after 1800 s"),
    ],
)
def test_an_image_that_cannot_be_had(
    error: CommandFailed, why: str, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulling(monkeypatch, error)

    with pytest.raises(FetchFailed) as caught:
        Docker(LOCAL).pull("web:1")

    assert ("the image web:1 could not be pulled", why) == (caught.value.what, caught.value.why)
    assert "docker pull web:1 shows what its registry says" == caught.value.remedy
