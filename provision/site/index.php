<?php

// nginx sends the requests for all addresses of the site to this file.

declare(strict_types=1);

require __DIR__ . '/answer.php';
require __DIR__ . '/database.php';
require __DIR__ . '/notes.php';
require __DIR__ . '/page.php';
require __DIR__ . '/remote.php';
require __DIR__ . '/visits.php';

$config = require '/etc/weblab/site.php';
header('X-Served-By: ' . $config['served_by']);
header('X-Db: none');  // until a database has answered
header('Cache-Control: no-store');
header('X-Content-Type-Options: nosniff');

$method = $_SERVER['REQUEST_METHOD'] === 'HEAD' ? 'GET' : $_SERVER['REQUEST_METHOD'];
$path = explode('?', $_SERVER['REQUEST_URI'], 2)[0];

try {
    must_be_recent($config);
    match (true) {
        $path === '/' => by_method($method, ['GET' => show_page(...), 'POST' => take_form(...)], $config),
        $path === '/health' => by_method($method, ['GET' => show_health(...)], $config),
        $path === '/api/visits' => by_method($method, ['GET' => count_visit(...)], $config),
        $path === '/api/notes' =>
            by_method($method, ['GET' => list_notes(...), 'POST' => take_json(...)], $config),
        str_starts_with($path, '/api/notes/') => by_method($method, ['GET' => show_note(...)], $config),
        default => throw new Problem(404, 'there is no such address'),
    };
} catch (Problem $problem) {
    answer_problem($problem, as_page: $path === '/');
} catch (PDOException $error) {
    // Only reads end here. The balancer asks another server when it sees a 503.
    error_log($error->getMessage());
    $where = isset($config['local']) ? " on {$config['served_by']}" : '';
    $problem = new Problem(503, "the database$where does not answer");
    answer_problem($problem, as_page: $path === '/');
}

/**
 * Refuse a request that has waited too long. When visitors leave, their requests stay in PHP's queue, and working on
 * them would delay all others. The balancer turns 429 into 503 and tries no other server; for a 503 it does. It gives
 * up after `balancer_waits_s`, so a request that seems older has not waited: the clock of this machine was set forward.
 */
function must_be_recent(array $config): void
{
    $waited_s = microtime(true) - (float) $_SERVER['ARRIVED_AT'];
    if ($waited_s > $config['read_begins_within_s']) {
        $status = $waited_s > $config['balancer_waits_s'] ? 503 : 429;
        throw new Problem($status, 'the site is too busy, nothing was done');
    }
}

function by_method(string $method, array $handlers, array $config): void
{
    if (!isset($handlers[$method])) {
        header('Allow: ' . implode(', ', array_keys($handlers)));
        throw new Problem(405, "$method is not possible here");
    }
    $handlers[$method]($config);
}

/**
 * Test PHP and a read, never a write: without a primary every server would be down, for reads too. A connection to
 * another machine is new, so that a database which does not answer costs one second: a check fails after 1.5 s.
 */
function show_health(array $config): void
{
    [$db] = reading_database($config, keep: false);
    ask($db, 'SELECT token FROM notes LIMIT 1');
    answer_json(200, ['status' => 'ok']);
}

function show_page(array $config): void
{
    [$db, $about] = reading_database($config);
    $notes = latest_notes($db);
    $saved = $_GET['saved'] ?? null;
    $saved_is_here = is_string($saved) && is_token($saved) ? find_note($db, $saved) !== null : null;
    try {
        $replication = $about + replication($db, $config);
    } catch (PDOException) {
        $replication = null;  // the notes were read: show them instead of an error
    }
    answer_html(200, page($config, $about['name'], $replication, $notes, $saved_is_here));
}

function list_notes(array $config): void
{
    [$db] = reading_database($config);
    answer_json(200, ['notes' => latest_notes($db)]);
}

function show_note(array $config): void
{
    $token = rawurldecode(substr(explode('?', $_SERVER['REQUEST_URI'], 2)[0], strlen('/api/notes/')));
    [$db] = reading_database($config);
    $note = is_token($token) ? find_note($db, $token) : null;
    answer_json(200, $note ?? throw new Problem(404, 'there is no note with this token'));
}

function take_json(array $config): void
{
    $text = file_get_contents('php://input', length: LONGEST_REQUEST + 1);
    if (strlen($text) > LONGEST_REQUEST) {
        throw new Problem(413, 'the request is longer than ' . LONGEST_REQUEST . ' bytes');
    }
    $sent = json_decode($text, associative: true);
    if (!is_array($sent)) {
        throw new Problem(400, 'the request must be JSON: {"token": "...", "body": "..."}');
    }
    $token = checked_token($sent['token'] ?? null);
    [$status, $note] = leave_note($config, $token, checked_body($sent['body'] ?? null));
    answer_json($status, $note);
}

/** The form of the page. The answer is a redirect, so that reloading the page does not send the note again. */
function take_form(array $config): void
{
    $token = checked_token($_POST['token'] ?? null);
    leave_note($config, $token, checked_body($_POST['body'] ?? null));
    http_response_code(303);
    header("Location: /?saved=$token");
}
