"""Channels reach the public internet and, if allowed, this machine; nothing private, however it is written or resolved."""

import socket
from ipaddress import ip_address

import pytest
from hook_receiver import Receiver
from hypothesis import HealthCheck, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from notify import addresses, wire
from notify.addresses import Reach, reach_of
from notify.errors import AddressForbidden, AddressUnknown, Again
from store.sections.notify import Notify

few = run_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PUBLIC = Reach(loopback=False)
ORDINARY = Reach()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0",
        "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::a00:1", "2002:a00:1::", "fd00:ec2::254", "192.0.0.1", "198.18.0.1", "2001:db8::1", "fe80::1%eth0",
    ],
)  # fmt: skip
def test_private_and_reserved_addresses_are_out_of_reach(address: str) -> None:
    with pytest.raises(AddressForbidden):
        PUBLIC.judge("h", address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111"])
def test_public_addresses_are_in_reach(address: str) -> None:
    PUBLIC.judge("h", address)


@few
@given(st.ip_addresses())
def test_only_what_is_global_or_allowed(address) -> None:
    reach = Reach(loopback=False, networks=("10.1.0.0/16", "fd00:1::/64"))
    allowed = any(address.version == v and address in net for v, net in ((4, _net("10.1.0.0/16")), (6, _net("fd00:1::/64"))))
    try:
        reach.judge("h", str(address))
    except AddressForbidden:
        assert not allowed
    else:
        assert allowed or addresses.plain(address).is_global


def _net(text: str):
    from ipaddress import ip_network

    return ip_network(text)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/", "ftp://hooks.example/", "https://", "https://user@hooks.example/", "https://a:b@hooks.example/",
        "file:///etc/passwd", "gopher://127.0.0.1/", "https://[::ffff:10.0.0.1]/", "https://10.0.0.1/", "https://h:99999/", "//x",
        "http://169.254.169.254/latest/meta-data", "javascript:alert(1)", "https://[fe80::1]/",
    ],
)  # fmt: skip
def test_addresses_as_written(url: str) -> None:
    with pytest.raises(AddressForbidden):
        ORDINARY.check(url)


def test_loopback_and_http_by_setting() -> None:
    ORDINARY.check("http://127.0.0.1:9093/")
    ORDINARY.check("http://localhost/")
    ORDINARY.check("https://hooks.example/in?x=1")
    with pytest.raises(AddressForbidden):
        PUBLIC.check("http://127.0.0.1/")
    Reach(http=True).check("http://hooks.example/")
    settings = Notify(allow_networks=("10.1.0.0/16",), allow_http=True)
    reach_of(settings).check("http://10.1.2.3/")
    with pytest.raises(ValueError, match="allow_networks"):
        Notify(allow_networks=("anything",))


def test_one_private_address_of_a_name_is_enough() -> None:
    with pytest.raises(AddressForbidden):
        PUBLIC.resolve("rebind.example", 443, lambda host, port: ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(AddressUnknown):
        PUBLIC.resolve("nothing.example", 443, lambda host, port: [])
    assert PUBLIC.resolve("fine.example", 443, lambda host, port: ["93.184.216.34"]) == "93.184.216.34"


def test_a_name_that_changes_after_it_was_judged_is_not_followed(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """The name is looked up once, and the connection goes to the address that was judged."""
    asked = []

    def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    monkeypatch.setattr(addresses, "looked_up", look_up)
    port = receiver.url.rpartition(":")[2]
    assert wire.post(f"http://rebind.example:{port}/", b"{}", {}, Reach(http=True), 5).status == 200
    assert asked == ["rebind.example"]
    assert receiver.got[0].headers["host"] == f"rebind.example:{port}"
    with pytest.raises(AddressForbidden):
        wire.post(f"http://rebind.example:{port}/", b"{}", {}, Reach(http=True), 5)


def test_an_environment_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert wire.post(receiver.url, b"{}", {}, ORDINARY, 5).status == 200


def test_nobody_there_is_tried_again_without_naming_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Again) as raised:
        wire.post(f"http://127.0.0.1:{port}/secret-path", b"{}", {}, ORDINARY, 5)
    assert "secret-path" not in str(raised.value)


def test_a_receiver_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(Again, match="no answer"):
        wire.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}, ORDINARY, 0.2)


def test_hidden_addresses_are_seen() -> None:
    assert str(addresses.plain(ip_address("64:ff9b::7f00:1"))) == "127.0.0.1"
