<?php

// The two ways to a database: the one on this machine to read, the primary to write.

declare(strict_types=1);

// MySQL's error numbers: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
const DUPLICATE_KEY = 1062;
const LOCK_WAIT_TIMEOUT = 1205;
const TOO_MANY_WRITES = 1226;  // max_user_connections of site_write
const WITHOUT_END_MS = 4294967295;  // durable: semi-sync waits for a replica, however long that takes

/**
 * The database on this machine, and what it says of itself. The connection is kept for the next request: a new
 * one costs more than a query.
 */
function local_database(array $config): array
{
    $db = connect("unix_socket={$config['local']['socket']}", $config['local'], $config, keep: true);
    $about = about($db);
    header("X-Db: {$about['name']}");
    return [$db, $about];
}

/**
 * The one database that accepts writes, and how it confirms commits: every candidate is asked, none is remembered,
 * because roles change while the site runs. Always a new connection: nothing that an earlier request left can touch
 * this write.
 */
function primary_database(array $config, float $give_up_at): array
{
    $reasons = [];
    foreach (candidates($config) as $name => $address) {
        if (microtime(true) > $give_up_at) {
            break;
        }
        try {
            $db = connect("host=$address", $config['write'], $config);
            $about = about($db);
            if ($about['writable']) {
                header("X-Db: {$about['name']}");
                return [$db, $config['confirms'] ? confirmation($db) : ''];
            }
            $reasons[] = "$name is read-only";
        } catch (PDOException $error) {
            error_log("$name: {$error->getMessage()}");
            $full = error_number($error) === TOO_MANY_WRITES;
            $reasons[] = $full ? "too many writes wait on $name" : "$name does not answer";
        }
    }
    throw new Problem(503, 'no database accepts writes: ' . implode(', ', $reasons));
}

/** All databases, the likely primary first: the local one knows whose replica it is. */
function candidates(array $config): array
{
    $all = $config['databases'];
    $self = $config['served_by'];
    try {
        $local = connect("unix_socket={$config['local']['socket']}", $config['local'], $config, keep: true);
        $likely = about($local)['writable'] ? $self : replication($local, $config)['source'];
    } catch (PDOException) {
        // It would not answer the write either: the others first.
        $likely = array_key_first(array_diff_key($all, [$self => '']));
    }
    return isset($all[$likely ?? '']) ? [$likely => $all[$likely]] + $all : $all;
}

/** What the database says about its own part in replication; lag is null when MySQL cannot tell. */
function replication(PDO $db, array $config): array
{
    $status = ask($db, 'SHOW REPLICA STATUS')->fetch() ?: [];
    $source = $status['Source_Host'] ?? null;
    $threads = [$status['Replica_IO_Running'] ?? '', $status['Replica_SQL_Running'] ?? ''];
    return [
        'source' => array_search($source, $config['databases'], true) ?: $source,
        'running' => $threads === ['Yes', 'Yes'],
        'lag_s' => $status['Seconds_Behind_Source'] ?? null,
    ];
}

/**
 * What a server says of itself, in one question: its name, and whether it accepts writes. super_read_only means
 * read_only too; whoever is not an administrator cares about the weaker one.
 */
function about(PDO $db): array
{
    $about = ask($db, 'SELECT @@GLOBAL.report_host AS name, @@GLOBAL.read_only = 0 AS writable')->fetch();
    return ['name' => $about['name'] ?? 'unnamed', 'writable' => (bool) $about['writable']];
}

/**
 * How the server confirms commits: '' where the lab chose that a commit may return without a replica, else how often
 * semi-sync was switched off so far, and whether it is ON.
 *
 * A wait without end is what MySQL starts with here and what durable means. So a server whose semi-sync somebody
 * switched off by hand, or that somebody opened by hand, confirms nothing: no note is left there.
 *
 * MySQL switches semi-sync off, and counts that, before it releases commits that no replica confirmed: a server that
 * shuts down does, and so does a change of durability (ReplSemiSyncMaster::switch_off). Two equal answers that end
 * with ON therefore mean: each commit between them was confirmed.
 * https://dev.mysql.com/doc/refman/8.4/en/replication-semisync-interface.html
 */
function confirmation(PDO $db): string
{
    return (string) ask($db, "SELECT IF(
        @@GLOBAL.rpl_semi_sync_source_timeout = " . WITHOUT_END_MS . ",
        (SELECT IFNULL(GROUP_CONCAT(variable_value ORDER BY variable_name), '?') FROM performance_schema.global_status
            WHERE variable_name IN ('Rpl_semi_sync_source_no_times', 'Rpl_semi_sync_source_status')),
        '')")->fetchColumn();
}

function is_confirmed(string $before, string $after): bool
{
    return $before === '' || ($after === $before && str_ends_with($after, ',ON'));
}

/**
 * A question with no value of a visitor's in it, in one round trip. To prepare it first, as everything with a value
 * is, would make three.
 */
function ask(PDO $db, string $question): PDOStatement
{
    $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, true);
    try {
        return $db->query($question);
    } finally {
        $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, false);
    }
}

/**
 * A new connection, or a kept one. PDO and not mysqli: a kept connection of mysqli forgets its time limits
 * when it breaks, and can take the PHP process down (tried with PHP 8.4 and a frozen database).
 */
function connect(string $where, array $account, array $config, bool $keep = false): PDO
{
    // Seconds to wait for an answer of MySQL, for connections made from here on. The default is a day.
    ini_set('mysqlnd.net_read_timeout', (string) $account['timeout_s']);
    return new PDO("mysql:$where;dbname=site;charset=utf8mb4", $account['user'], $account['password'], [
        PDO::ATTR_PERSISTENT => $keep,
        PDO::ATTR_TIMEOUT => $config['connect_timeout_s'],
        PDO::ATTR_EMULATE_PREPARES => false,
        PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
    ]);
}

function error_number(PDOException $error): int
{
    return (int) ($error->errorInfo[1] ?? $error->getCode());
}
