<?php

// The two ways to a database: the one on this machine to read, the primary to write.

declare(strict_types=1);

/** The database on this machine. The connection is kept for the next request: building one costs more than a query. */
function local_database(array $config): mysqli
{
    $db = connect('p:localhost', $config['local'], $config);
    header('X-Db: ' . server_name($db));
    return $db;
}

/**
 * The one database that accepts writes: every candidate is asked, none is remembered, because roles change while
 * the site runs. Always a new connection: nothing that an earlier request left behind can touch this write.
 */
function primary_database(array $config, float $give_up_at): mysqli
{
    $reasons = [];
    foreach (candidates($config) as $name => $address) {
        if (microtime(true) > $give_up_at) {
            break;
        }
        try {
            $db = connect($address, $config['write'], $config);
            if (is_writable_server($db)) {
                header('X-Db: ' . server_name($db));
                return $db;
            }
            $reasons[] = "$name is read-only";
        } catch (mysqli_sql_exception $error) {
            error_log("$name: {$error->getMessage()}");
            $reasons[] = "$name does not answer";
        }
    }
    throw new Problem(503, 'no database accepts writes: ' . implode(', ', $reasons));
}

/** Names and addresses of all databases, the likely primary first: the local one knows whose replica it is. */
function candidates(array $config): array
{
    $all = $config['databases'];
    $self = $config['served_by'];
    try {
        $local = connect('localhost', $config['local'], $config);
        $likely = is_writable_server($local) ? $self : replication($local, $config)['source'];
    } catch (mysqli_sql_exception) {
        // It would not answer the write either: the others first.
        $likely = array_key_first(array_diff_key($all, [$self => '']));
    }
    return isset($all[$likely ?? '']) ? [$likely => $all[$likely]] + $all : $all;
}

/** What the database says about its own part in replication; lag is null when MySQL cannot tell. */
function replication(mysqli $db, array $config): array
{
    $status = $db->query('SHOW REPLICA STATUS')->fetch_assoc();
    $source = $status['Source_Host'] ?? null;
    return [
        'writable' => is_writable_server($db),
        'source' => array_search($source, $config['databases'], true) ?: $source,
        'running' => $status && $status['Replica_IO_Running'] === 'Yes' && $status['Replica_SQL_Running'] === 'Yes',
        'lag_s' => $status['Seconds_Behind_Source'] ?? null,
    ];
}

/** super_read_only means read_only too; whoever is not an administrator cares about the weaker one. */
function is_writable_server(mysqli $db): bool
{
    return $db->query('SELECT @@GLOBAL.read_only')->fetch_column() === '0';
}

function server_name(mysqli $db): string
{
    return $db->query('SELECT @@GLOBAL.report_host')->fetch_column();
}

/**
 * A host that starts with 'p:' is a connection that PHP keeps; localhost means the socket file.
 *
 * How long an answer may take is a setting of the PHP-FPM pools, mysqlnd.net_read_timeout (its default is a day):
 * an option set here is forgotten when PHP replaces a kept connection that broke.
 */
function connect(string $host, array $account, array $config): mysqli
{
    $db = mysqli_init();
    $db->options(MYSQLI_OPT_CONNECT_TIMEOUT, $config['connect_timeout_s']);
    if (isset($account['timeout_s'])) {
        $db->options(MYSQLI_OPT_READ_TIMEOUT, $account['timeout_s']);
    }
    $db->options(MYSQLI_SET_CHARSET_NAME, 'utf8mb4');
    $db->real_connect($host, $account['user'], $account['password'], 'site', 3306, $account['socket'] ?? null);
    return $db;
}
