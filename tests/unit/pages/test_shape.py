"""An output has the shape of the one on a page, or it has not: figures differ, words and statuses must not."""

import pytest

from tests.support.pages.shape import answer, difference, shortened

STATUS = """site      http://192.168.56.10/  answers
web1      192.168.56.11    running      nginx active, php8.4-fpm active
web2      192.168.56.12    running      nginx inactive, php8.4-fpm active
balancer  roundrobin, active-active: web1 UP, web2 DOWN
  web2     replica, read-only, 0 s behind"""


def differs(page: str, came: str, *, either: bool = False) -> bool:
    """Whether the output that came has another shape than the page's."""
    return bool(difference(page.splitlines(), came.splitlines(), either=either))


@pytest.mark.parametrize(
    ("page", "came"),
    [
        ("nobody took writes for 0.4 s", "nobody took writes for 1.2 s"),
        ("  web2     replica, 0 s behind", "  web2 replica, 3 s behind"),
        ("web1: primary, 50 transactions", "web1: primary, 1712 transactions"),
        ("date: Sun, 30 Nov 2025 22:00:00 GMT", "date: Mon, 01 Dec 2025 09:10:11 GMT"),
        ('{"token":"step6-1764540000","created_at":"2025-11-30T22:00:00.123Z"}',) * 2,
        (
            '{"token":"step6-17","created_at":"2025-11-30T22:00:00.123Z"}',
            '{"token":"step6-9","created_at":"2026-01-02T03:04:05.678Z"}',
        ),
        ("report: runs/20261125T220000Z-web2/report.html", "report: runs/20261126T101112Z-web2/report.html"),
        ("id 3e11fa47-71ca-11e1-9e33-c80aa9429562", "id 0711fa47-71ca-11e1-9e33-c80aa9429562"),
        ("php8.4-fpm active", "php8.3-fpm active"),
        ("      5 x-served-by: web1", "     12 x-served-by: web1"),
    ],
)
def test_figures_may_differ(page: str, came: str) -> None:
    """Times, durations, counts, identifiers, versions, and the blanks between columns."""
    assert not differs(page, came)


@pytest.mark.parametrize(
    ("page", "came"),
    [
        ("HTTP 200 in 0.04 s", "HTTP 503 in 0.04 s"),
        ("HTTP/1.1 200 OK", "HTTP/1.1 404 OK"),
        ("web2 UP", "web2 DOWN"),
        ("x-served-by: web1", "x-served-by: web2"),
        ("192.168.56.10", "192.168.56.11"),
        ("0 of web1 missing", "2 of web1 missing"),
        ("3 failed", "0 failed"),
        ("0(0.00%)", "7(3.41%)"),
        ("invoke: exit 1", "invoke: exit 3"),
        ("durability durable, semi-sync ON", "durability available, semi-sync OFF"),
        ("one line", "one line\nand another"),
        ("one line\nand another", "one line"),
        ("", "Traceback (most recent call last):"),
        ("nothing to change", ""),
        (STATUS, STATUS.replace("nginx inactive", "nginx active")),
        (STATUS, STATUS.replace("  web2     replica", "  web2     primary")),
    ],
)
def test_a_wrong_output_is_seen(page: str, came: str) -> None:
    """Another status, name, address, zero or word; a line more or less."""
    assert differs(page, came)


def test_the_difference_is_told_as_a_diff() -> None:
    """The line that is wrong, beside the one that should be."""
    diff = difference(STATUS.splitlines(), STATUS.replace("web2 DOWN", "web2 UP").splitlines())
    assert "-balancer roundrobin, active-active: web1 UP, web2 DOWN" in diff
    assert "+balancer roundrobin, active-active: web1 UP, web2 UP" in diff


@pytest.mark.parametrize(
    ("came", "wrong"),
    [
        ("first\na\nb\nlast", False),
        ("first\nlast", False),
        ("first", True),
        ("other\na\nlast", True),
        ("first\na\nother", True),
    ],
)
def test_an_ellipsis_stands_for_any_lines(came: str, wrong: bool) -> None:
    """What is before and after it must be there."""
    assert differs("first\n...\nlast", came) == wrong


def test_a_new_output_is_as_short_as_the_old_one() -> None:
    """What the page left out stays out."""
    assert shortened(["a", "...", "z"], ["1", "2", "3", "4"]) == ["1", "...", "4"]
    assert shortened(["a", "b"], ["1", "2", "3"]) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("came", "wrong"),
    [
        ("a\nPASS  it\nof 12 reads 0 failed\nb\nc", False),
        ("PASS  it\nof 960 reads 0 failed", False),
        ("a\nPASS  it\nof 12 reads 3 failed\nb", True),
        ("a\nPASS  it\nb\nof 12 reads 0 failed", True),
        ("a\nb", True),
    ],
)
def test_lines_between_two_ellipses_are_looked_for(came: str, wrong: bool) -> None:
    """They stand together, wherever they stand."""
    assert differs("...\nPASS  it\nof 7 reads 0 failed\n...", came) == wrong


ALTERNATING = "x-served-by: web1\nx-served-by: web2\nx-served-by: web1"


@pytest.mark.parametrize(
    ("page", "came", "wrong"),
    [
        (ALTERNATING, "x-served-by: web2\nx-served-by: web1\nx-served-by: web2", False),
        (ALTERNATING, "x-served-by: web1\nx-served-by: web1\nx-served-by: web1", True),
        ("x-served-by: web1\nx-db: web1", "x-served-by: web2\nx-db: web2", False),
        ("x-served-by: web1\nx-db: web1", "x-served-by: web1\nx-db: web2", True),
        ('{"served_by":"web2","db":"web1"}', '{"served_by":"web1","db":"web1"}', False),
        ('{"served_by":"web2","db":"web1"}', '{"served_by":"web1","db":"web2"}', False),
        ('{"served_by":"web2","db":"web1"}', '{"served_by":"lb1","db":"web1"}', True),
    ],
)
def test_the_balancer_may_begin_with_either_server(page: str, came: str, wrong: bool) -> None:
    """Then all turns are the other one's; whoever should have been asked in between must have been."""
    assert differs(page, came, either=True) == wrong
    assert differs(page, came) or came == page


def test_progress_is_no_part_of_an_answer() -> None:
    """Nor are blanks at the end of lines."""
    output = "   2.3s  web2      injects web2-freeze\n  12.0s  -         waits\nweb2-freeze is active  \n\n"
    assert answer(output) == ["web2-freeze is active"]
