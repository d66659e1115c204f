"""What the site promises about a note, checked in the text of its PHP; the live tests run the PHP."""

import re
from pathlib import Path

SITE = Path(__file__).resolve().parents[3] / "provision" / "site"


def body(file: str, function: str) -> str:
    """The code of a function of the site in one line, without comments."""
    text = (SITE / file).read_text(encoding="utf-8")
    found = re.search(rf"^function {function}\(.*?^}}$", text, re.MULTILINE | re.DOTALL)
    assert found, f"{file} has no function {function}"
    return " ".join(re.sub(r"^\s*//.*$", "", found[0], flags=re.MULTILINE).split())


def in_order(text: str, *parts: str) -> bool:
    """Whether the code contains all parts in this order."""
    return re.search(".*?".join(map(re.escape, parts)), text) is not None


def test_a_note_is_acknowledged_only_after_a_second_question() -> None:
    """Before COMMIT the site asks whether a replica can confirm, after it whether one has; if not, 504: unknown."""
    assert in_order(
        body("notes.php", "leave_note"),
        "[$db, $before] = primary_database($config, $give_up_at);",
        "if (!is_confirmed($before, $before)) { throw new Problem(503,",
        "$db->beginTransaction();",
        "$db->commit(); return [201, confirmed($db, $before, $note)]; } catch (PDOException $error) {",
        "throw new Problem(504, 'unknown');",
    )
    asks = "if ($note === null || ($before !== '' && !is_confirmed($before, confirmation($db)))) "
    assert in_order(body("notes.php", "confirmed"), asks + "{ throw new Problem(504, 'unknown'); } return $note;")


def test_a_note_that_is_known_already_is_asked_for_in_the_same_way() -> None:
    """An earlier request may have written it without a replica, so another commit after it must be confirmed."""
    assert in_order(
        body("notes.php", "leave_note"),
        "catch (PDOException $error) { must_be_known($error);",
        "return [200, known_note($db, $token, $before, $give_up_at)]; }",
    )
    locked = "if (error_number($error) === LOCK_WAIT_TIMEOUT) { throw new Problem(504, 'unknown'); }"
    assert locked in body("notes.php", "must_be_known")
    assert in_order(
        body("notes.php", "known_note"),
        "if ($before !== '') { $db->prepare('INSERT INTO repeats (token) VALUES (?)')->execute([$token]); }",
        "$db->commit(); return confirmed($db, $before, $note); } catch (PDOException $error) {",
        "throw new Problem(504, 'unknown');",
    )


def test_two_equal_answers_that_end_with_on_confirm() -> None:
    """If semi-sync was off in between, its counter differs; in the other modes nothing has to be confirmed."""
    code = body("database.php", "is_confirmed")
    assert "return $before === '' || ($after === $before && str_ends_with($after, ',ON'));" in code
    asked = body("database.php", "confirmation")
    assert "rpl_semi_sync_source_enabled" not in asked, "semi-sync that was switched off by hand confirms nothing"
    assert in_order(asked, 'rpl_semi_sync_source_timeout = " . WITHOUT_END_MS', "source_no_times", "source_status")


def test_only_a_server_that_takes_writes_gets_them_and_is_asked_how_it_confirms() -> None:
    """Unless an experiment runs without that protection."""
    answers = "return [$db, $config['confirms'] ? confirmation($db) : ''];"
    assert in_order(body("database.php", "primary_database"), "if ($about['writable']) {", answers, "is read-only")


def test_a_request_that_php_begins_late_is_refused() -> None:
    """Its visitor has left: it is refused before any query, with a status after which HAProxy tries no other server."""
    code = " ".join((SITE / "index.php").read_text(encoding="utf-8").split())
    assert in_order(code, "try { must_be_recent($config); match (true) {", "catch (Problem")
    waited = "$waited_s = microtime(true) - (float) $_SERVER['ARRIVED_AT']; "
    late = "if ($waited_s > $config['read_begins_within_s']) { $status = "
    refuses = "$waited_s > $config['balancer_waits_s'] ? 503 : 429; throw new Problem($status, "
    assert waited + late + refuses in body("index.php", "must_be_recent")


def test_no_other_site_frames_the_page_or_moves_its_links() -> None:
    """default-src does not include these two directives."""
    assert "frame-ancestors 'none'; base-uri 'none'" in (SITE / "answer.php").read_text(encoding="utf-8")


def test_a_server_without_a_database_asks_a_replica_first_and_the_primary_if_none_answers() -> None:
    """Every answer says anew what a database is: a role that was remembered only decides who is asked first."""
    code = body("remote.php", "remote_database")
    assert in_order(
        code,
        "foreach (last_roles($config['databases']) as $name => $role)",
        "if (microtime(true) > $give_up_at || ($role === SILENT && $primary !== null)) { break; }",
        "[$db, $about] = asked_database($config, $name, $keep);",
        "if (!$about['writable']) { return [$db, $about]; }",
        "$primary = [$db, $about];",
        "catch (PDOException $error)",
        "remember($name, SILENT);",
        "return $primary ?? throw new Problem(503,",
    )
    text = (SITE / "remote.php").read_text(encoding="utf-8")
    order = dict(re.findall(r"^const (REPLICA|PRIMARY|SILENT) = (\d);", text, re.MULTILINE))
    assert sorted(order, key=order.__getitem__) == ["REPLICA", "PRIMARY", "SILENT"]


def test_a_slow_database_is_used_once_and_holds_no_second_check() -> None:
    """Each step may take less than its limit and all of them more than a check: the next check asks the other one."""
    assert in_order(
        body("remote.php", "asked_database"),
        "$began = microtime(true);",
        '$keep || file_put_contents(MEMORY . "$name-asked", (string) $began);',
        "$db = connect(",
        '$keep || @unlink(MEMORY . "$name-asked");',
        "$slow = microtime(true) - $began > SLOW_S;",
        "remember($name, $slow ? SILENT : ($about['writable'] ? PRIMARY : REPLICA));",
        "return [$db, $about];",
    )
    assert "holds_a_check($name) ? SILENT :" in body("remote.php", "last_roles")
    assert "return $waits_s > SLOW_S && $waits_s < SILENT_S;" in body("remote.php", "holds_a_check")
    text = (SITE / "remote.php").read_text(encoding="utf-8")
    slow = re.search(r"^const SLOW_S = ([\d.]+);", text, re.MULTILINE)
    assert slow and float(slow[1]) < 1.0, "a health check fails after 1.5 s, and asks once more after the answer"


def test_a_server_with_a_database_reads_from_it_and_from_no_other() -> None:
    """Its reads work while all other machines are down; its connection is kept."""
    chooses = "isset($config['local']) ? local_database($config) : remote_database($config, $keep)"
    assert chooses in body("database.php", "reading_database")
    assert "keep: true" in body("database.php", "local_database")


def test_each_read_says_which_database_answered_and_health_reads_alike() -> None:
    """X-Db; a health check connects anew to another machine: one that is silent costs it a second and not three."""
    assert "header(\"X-Db: {$about['name']}\")" in body("database.php", "reading_database")
    assert "reading_database($config, keep: false)" in body("index.php", "show_health")
    for name in ("show_page", "list_notes", "show_note"):
        assert "reading_database($config)" in body("index.php", name)


def test_a_session_needs_no_database_and_its_id_is_given_by_this_server() -> None:
    """Strict mode: an id that the server did not give gets a new one, so the counter begins again."""
    text = (SITE / "visits.php").read_text(encoding="utf-8")
    assert "'use_strict_mode' => true" in text and "'cookie_httponly' => true" in text
    assert "reading_database" not in text and "primary_database" not in text


def test_only_the_counter_of_visits_starts_a_session() -> None:
    """The ordinary page writes no file and sets no cookie."""
    starts = [path.name for path in SITE.glob("*.php") if "session_start(" in path.read_text(encoding="utf-8")]
    assert starts == ["visits.php"]
    assert "$path === '/api/visits' =>" in (SITE / "index.php").read_text(encoding="utf-8")


def test_a_visit_is_counted_only_if_its_session_was_kept() -> None:
    """A session that cannot be read or written is 503, for which the balancer asks another server."""
    code = body("visits.php", "count_visit")
    assert in_order(code, "if (!session_start(SESSION_OPTIONS)) { throw new Problem(503,", "$_SESSION['visits'] =")
    assert in_order(code, "if (!session_write_close()) { throw new Problem(503,", "answer_json(200,")


def test_programs_that_return_no_cookie_cannot_fill_the_memory_with_sessions() -> None:
    """Some visits that made a new session remove the oldest ones."""
    assert in_order(body("visits.php", "count_visit"), "$session !== 'kept'", "keep_newest_sessions();")
    removes = "arsort($ages); foreach (array_keys(array_slice($ages, MOST_SESSIONS)) as $file) { @unlink($file); }"
    assert removes in body("visits.php", "keep_newest_sessions")
