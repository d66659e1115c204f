<?php
// Written by the role web (fabfile/web.py): changes made here are undone by the next converge.
// Contains passwords: only root and PHP can read it (root:www-data, 640), and nginx cannot send it.

return [
    'site' => 'www.foobar.com',
    'served_by' => 'web1',

    // This machine has no database. Reads use a replica; if no replica answers, the primary.
    'remote' => [
        'user' => 'site_read',
        'password' => 'quote \' and backslash \\',
        'timeout_s' => 1,
        // Seconds after nginx got the request: if another database were asked later, the balancer might give up before
        // the answer.
        'next_before_s' => 4,
    ],

    // Writes go to the primary. The primary can change, so the site asks the databases which one it is.
    'write' => [
        'user' => 'site_write',
        'password' => 'dollar $x and "',
        // COMMIT waits for the disk and, in durable mode, for the replica.
        'timeout_s' => 3,
        // Seconds after nginx got the request: if COMMIT were sent later, the balancer might give up before the answer.
        'commit_before_s' => 3,
    ],
    // In durable mode a note is acknowledged only if a replica has confirmed it.
    'confirms' => true,
    'databases' => [
        'db1' => '192.168.56.21',
        'db2' => '192.168.56.22',
    ],
    // Seconds after nginx got the request: a request waits this long for PHP only if PHP is overloaded.
    'read_begins_within_s' => 2,
    // Then the balancer gives up: a request that seems older met a clock that was set forward.
    'balancer_waits_s' => 5,
    'connect_timeout_s' => 1,
];
