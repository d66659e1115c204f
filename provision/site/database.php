<?php

// The connections to the databases: one for reads, the primary for writes.

declare(strict_types=1);

// MySQL's error numbers: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
const DUPLICATE_KEY = 1062;
const LOCK_WAIT_TIMEOUT = 1205;
const TOO_MANY_WRITES = 1226;  // max_user_connections of site_write
const WITHOUT_END_MS = 4294967295;  // durable: semi-sync waits for a replica without a time limit

/** The database for reads, with its name and whether it is writable: the one on this machine, if it has one. */
function reading_database(array $config, bool $keep = true): array
{
    [$db, $about] = isset($config['local']) ? local_database($config) : remote_database($config, $keep);
    header("X-Db: {$about['name']}");
    return [$db, $about];
}

/** The database on this machine. The connection is kept for the next request: a new one costs more than a query. */
function local_database(array $config): array
{
    $db = connect("unix_socket={$config['local']['socket']}", $config['local'], $config, keep: true);
    return [$db, about($db)];
}

/**
 * The database that accepts writes, and how it confirms commits. Every candidate is asked for each write, because roles
 * change while the site runs. The connection is always new, so that no earlier request can affect this write.
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

/** All databases, the likely primary first: if the local one is a replica, it knows its source. */
function candidates(array $config): array
{
    $all = $config['databases'];
    if (!isset($config['local'])) {
        return last_primary_first($all);
    }
    $self = $config['served_by'];
    try {
        $local = connect("unix_socket={$config['local']['socket']}", $config['local'], $config, keep: true);
        $likely = about($local)['writable'] ? $self : replication($local, $config)['source'];
    } catch (PDOException) {
        // The local database would not answer the write either: ask the others first.
        $likely = array_key_first(array_diff_key($all, [$self => '']));
    }
    return isset($all[$likely ?? '']) ? [$likely => $all[$likely]] + $all : $all;
}

/** The replication status of the database: source, whether it runs, lag (null if MySQL does not know it). */
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
 * The server's name and whether it accepts writes, in one query. super_read_only implies read_only, and read_only is
 * enough to stop a user who is no administrator. `$more`: what else is asked in the same query.
 */
function about(PDO $db, string $more = ''): array
{
    $about = ask($db, "SELECT @@GLOBAL.report_host AS name, @@GLOBAL.read_only = 0 AS writable$more")->fetch();
    return ['name' => $about['name'] ?? 'unnamed', 'writable' => (bool) $about['writable']];
}

/**
 * How the server confirms commits: '' if with the lab's durability a commit may return without a replica; otherwise how
 * often semi-sync has been switched off, and whether it is ON.
 *
 * MySQL starts with a timeout without limit in this lab, and durable mode means the same. So if semi-sync was switched
 * off by hand, or the server was made writable by hand, it confirms nothing, and no note is written.
 *
 * MySQL switches semi-sync off, and counts that, before it releases commits that no replica has confirmed: when the
 * server shuts down, and when the durability changes (ReplSemiSyncMaster::switch_off). So two equal answers that end
 * with ON mean that each commit between them was confirmed.
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
 * A query without a visitor's data, in one round trip. Queries with such data are prepared first, which takes three.
 */
function ask(PDO $db, string $question): PDOStatement
{
    $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, true);
    try {
        return timed(fn() => $db->query($question));
    } finally {
        $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, false);
    }
}

/** Do what waits for a database, and add its time to that of this request. */
function timed(callable $work): mixed
{
    $began = hrtime(true);
    try {
        return $work();
    } finally {
        database_ms((hrtime(true) - $began) / 1e6);
    }
}

/** Milliseconds that this request has waited for databases: connections, and questions without a visitor's data. */
function database_ms(float $more = 0.0): float
{
    static $sum = 0.0;
    return $sum += $more;
}

/**
 * A new connection, or a kept one. PDO and not mysqli: a kept connection of mysqli loses its time limits when it
 * breaks, and can crash the PHP process (tried with PHP 8.4 and a frozen database).
 */
function connect(string $where, array $account, array $config, bool $keep = false): PDO
{
    // Seconds to wait for an answer of MySQL, for connections made from now on. The default is a day.
    ini_set('mysqlnd.net_read_timeout', (string) $account['timeout_s']);
    $options = [
        PDO::ATTR_PERSISTENT => $keep,
        PDO::ATTR_TIMEOUT => $config['connect_timeout_s'],
        PDO::ATTR_EMULATE_PREPARES => false,
        PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
    ];
    $dsn = "mysql:$where;dbname=site;charset=utf8mb4";
    return timed(fn() => new PDO($dsn, $account['user'], $account['password'], $options));
}

function error_number(PDOException $error): int
{
    return (int) ($error->errorInfo[1] ?? $error->getCode());
}
