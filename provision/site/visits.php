<?php

// A visitor's counter in a PHP session: a file in the memory of this web server, which no other server can read.

declare(strict_types=1);

const SESSIONS = '/run/php/sessions';
const MOST_SESSIONS = 2000;   // on this server, 4 kB each: a reboot removes them, a restart of PHP does not
const CHECKED_ONCE_IN = 100;  // new sessions
const SESSION_OPTIONS = [
    'save_path' => SESSIONS,
    // An id that this server did not give gets a new one: nobody can choose the id of another visitor's session.
    'use_strict_mode' => true,
    'cookie_path' => '/api/visits',
    'cookie_httponly' => true,
    'cookie_samesite' => 'Lax',
    'cache_limiter' => '',  // the site sends its own Cache-Control
    'gc_probability' => 0,  // keep_newest_sessions() does it by number: an age would not limit the memory
];

/** Count this visit. `session` says what came of the visitor's cookie: new (there was none), kept or lost. */
function count_visit(array $config): void
{
    $came = $_COOKIE[session_name()] ?? null;
    is_dir(SESSIONS) || @mkdir(SESSIONS, 0700);  // another process may just have made it
    if (!session_start(SESSION_OPTIONS)) {
        throw new Problem(503, "{$config['served_by']} cannot keep a session");
    }
    $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
    $visits = $_SESSION['visits'];
    $session = $came === null ? 'new' : ($came === session_id() ? 'kept' : 'lost');
    if (!session_write_close()) {
        throw new Problem(503, "{$config['served_by']} cannot keep a session");
    }
    if ($session !== 'kept' && random_int(1, CHECKED_ONCE_IN) === 1) {
        keep_newest_sessions();
    }
    answer_json(200, ['visits' => $visits, 'session' => $session, 'served_by' => $config['served_by']]);
}

/** Remove the oldest sessions beyond MOST_SESSIONS: programs that return no cookie leave one with each visit. */
function keep_newest_sessions(): void
{
    $ages = [];
    foreach (glob(SESSIONS . '/sess_*') as $file) {
        $ages[$file] = @filemtime($file);  // another process may just have removed it
    }
    arsort($ages);
    foreach (array_keys(array_slice($ages, MOST_SESSIONS)) as $file) {
        @unlink($file);
    }
}
