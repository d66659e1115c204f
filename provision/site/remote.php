<?php

// A web server without a database reads from those of other machines: a replica first, then the primary.
//
// What each database was when it was asked last stands in a file in memory. It decides only who is asked first, and how
// often one that does not answer costs time: each answer says anew what the database is, because roles change while the
// site runs.

declare(strict_types=1);

// In the order in which reads ask.
const REPLICA = 0;
const PRIMARY = 1;
const SILENT = 2;
const SILENT_S = 10;  // for so long it is asked only if no other one answers; then one request tries it again
const SLOW_S = 0.7;  // a health check fails after 1.5 s: a database that takes longer than this counts as silent too
const MEMORY = '/run/php/database-';  // PHP may write there

/**
 * A replica, or if none answers the primary. A replica that is behind or does not replicate is used all the same, as on
 * a server with a database of its own.
 */
function remote_database(array $config, bool $keep): array
{
    $give_up_at = (float) $_SERVER['ARRIVED_AT'] + $config['remote']['next_before_s'];
    $primary = null;
    foreach (last_roles($config['databases']) as $name => $role) {
        if (microtime(true) > $give_up_at || ($role === SILENT && $primary !== null)) {
            break;
        }
        try {
            [$db, $about] = asked_database($config, $name, $keep);
            if (!$about['writable']) {
                return [$db, $about];
            }
            $primary = [$db, $about];
        } catch (PDOException $error) {
            error_log("$name: {$error->getMessage()}");
            remember($name, SILENT);
        }
    }
    return $primary ?? throw new Problem(503, 'no database answers: ' . implode(', ', array_keys($config['databases'])));
}

/**
 * A connection to the database, and what it says about itself. One that has no notes, because it is just being filled
 * with a copy of the primary's data, refuses the query and so counts as silent. So does one that is slow, although its
 * answer is used: a health check that asked it might fail, and on all web servers at the same time.
 */
function asked_database(array $config, string $name, bool $keep): array
{
    if (last_role($name) === SILENT) {
        remember($name, SILENT);  // so that the requests of the same moment do not wait for it too
    }
    $began = microtime(true);
    $keep || file_put_contents(MEMORY . "$name-asked", (string) $began);
    try {
        $db = connect("host={$config['databases'][$name]}", $config['remote'], $config, $keep);
        $about = about($db, ', (SELECT 1 FROM notes LIMIT 1) AS has_notes');
    } finally {
        $keep || @unlink(MEMORY . "$name-asked");
    }
    $slow = microtime(true) - $began > SLOW_S;
    remember($name, $slow ? SILENT : ($about['writable'] ? PRIMARY : REPLICA));
    return [$db, $about];
}

/** Whether the last health check still waits for this database: the balancer has given it up and sends the next one. */
function holds_a_check(string $name): bool
{
    $waits_s = microtime(true) - (float) @file_get_contents(MEMORY . "$name-asked");
    return $waits_s > SLOW_S && $waits_s < SILENT_S;
}

/** The addresses of the databases by name: for a write, one that was the primary first, one that was silent last. */
function last_primary_first(array $databases): array
{
    $roles = last_roles($databases);
    $primaries = array_flip(array_keys($roles, PRIMARY, true));
    return array_replace($primaries + $roles, $databases);
}

/** What each database was by name, in the order in which reads ask. */
function last_roles(array $databases): array
{
    $roles = [];
    foreach (array_keys($databases) as $name) {
        $role = last_role($name);
        $again = $role === SILENT && time() - filemtime(MEMORY . $name) >= SILENT_S;
        $roles[$name] = holds_a_check($name) ? SILENT : ($again ? REPLICA : $role);
    }
    asort($roles);
    return $roles;
}

function last_role(string $name): int
{
    return is_file(MEMORY . $name) ? (int) file_get_contents(MEMORY . $name) : REPLICA;
}

function remember(string $name, int $role): void
{
    if ($role === SILENT || $role !== last_role($name)) {
        file_put_contents(MEMORY . $name, (string) $role);
    }
}
