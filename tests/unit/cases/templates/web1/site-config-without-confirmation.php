<?php
// Written by the role web (fabfile/web.py): changes made here are undone by the next converge.
// Passwords: readable for root and PHP only (root:www-data, 640), and outside of what nginx can send.

return [
    'site' => 'www.foobar.com',
    'served_by' => 'web1',

    // Reads stay on this machine: they go on when every other machine is gone.
    'local' => [
        'socket' => '/run/mysqld/mysqld.sock',
        'user' => 'site_read',
        'password' => 'quote \' and backslash \\',
        'timeout_s' => 1,
    ],

    // Writes go to the primary. Which one that is, the site asks the databases: it changes.
    'write' => [
        'user' => 'site_write',
        'password' => 'dollar $x and "',
        // COMMIT waits for the disk and, in durable mode, for the replica.
        'timeout_s' => 3,
        // Seconds after nginx got the request: a COMMIT sent later might not be answered before the
        // balancer gives up.
        'commit_before_s' => 3,
    ],
    // Without confirmation, for one experiment: a COMMIT that returned counts as kept.
    'confirms' => false,
    'databases' => [
        'web1' => '192.168.56.11',
        'web2' => '192.168.56.12',
    ],
    // Seconds after nginx got the request: nobody waits so long for PHP but where it has more to do than it can.
    'read_begins_within_s' => 2,
    'connect_timeout_s' => 1,
];
