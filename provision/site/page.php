<?php

// The page, as HTML. All text from elsewhere goes through html(), so that a note can contain a script but the
// browser never runs it.

declare(strict_types=1);

function html(string|int|null $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE);
}

/** A colour for each server, the same everywhere on the page. */
function colour(string $server, array $config): string
{
    $index = array_search($server, array_keys($config['databases']), true);
    return $index === false ? 'other' : 'server' . $index % 4;
}

/** A server's name in its colour. */
function server(string $name, array $config): string
{
    return '<b class="' . colour($name, $config) . '">' . html($name) . '</b>';
}

/** The state of the database that was read: [role, headline, explanation, whether something is wrong]. */
function replication_words(?array $replication): array
{
    $source = $replication['source'] ?? null;
    $lag = $replication['lag_s'] ?? null;
    return match (true) {
        $replication === null => ['role unknown', '?', 'the database does not report its state', true],
        $replication['writable'] => ['primary', 'primary', 'takes every write of the site', false],
        $source === null => ['read-only', 'none', 'has no primary to copy from', true],
        !$replication['running'] => ["replica of $source", 'stopped', 'new notes do not arrive here', true],
        $lag === null => ["replica of $source", '?', "it does not know how far it is behind $source", true],
        default => ["replica of $source", "$lag s", "behind $source, the primary", $lag > 5],
    };
}

function page(array $config, string $db, ?array $replication, array $notes, ?bool $saved_is_here): string
{
    [$role, $headline, $explanation, $wrong] = replication_words($replication);
    $took_ms = (int) round(1000 * (microtime(true) - $_SERVER['REQUEST_TIME_FLOAT']));
    ob_start();
    ?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title><?= html($config['served_by']) ?> · <?= html($config['site']) ?></title>
<link rel="icon" href="/static/icon.svg">
<style><?= file_get_contents(__DIR__ . '/page.css') ?></style>
</head>
<body>
<header>
    <h1><?= html($config['site']) ?></h1>
    <a class="button" href="/">Ask again</a>
</header>
<section class="tiles">
    <div class="tile <?= colour($config['served_by'], $config) ?>">
        <h2>Served by</h2>
        <strong><?= html($config['served_by']) ?></strong>
        <p>nginx and PHP, in <?= $took_ms ?> ms</p>
    </div>
    <div class="tile <?= colour($db, $config) ?>">
        <h2>Read from the database on</h2>
        <strong><?= html($db) ?></strong>
        <p>MySQL, <?= html($role) ?></p>
    </div>
    <div class="tile <?= $wrong ? 'wrong' : 'right' ?>">
        <h2>Replication</h2>
        <strong><?= html($headline) ?></strong>
        <p><?= html($explanation) ?></p>
    </div>
</section>
<?php if ($saved_is_here): ?>
<p class="saved">Your note was saved.</p>
<?php elseif ($saved_is_here === false): ?>
<p class="saved">The database on <?= html($db) ?> does not have your note yet.
    <?= $role === 'primary' ? '' : 'It is on the primary: this is replication lag.' ?>
    <a href="/">Ask again.</a></p>
<?php endif ?>
<form method="post" action="/">
    <input type="hidden" name="token" value="<?= bin2hex(random_bytes(8)) ?>">
    <label for="body">Leave a note</label>
    <input id="body" name="body" required maxlength="<?= LONGEST_BODY ?>" autocomplete="off">
    <button>Leave it</button>
</form>
<section>
    <h2>Latest notes</h2>
    <?php foreach ($notes as $note): ?>
    <article class="<?= colour($note['served_by'], $config) ?>">
        <p><?= html($note['body']) ?></p>
        <small>taken by <?= server($note['served_by'], $config) ?>,
            written to the database on <?= server($note['db'], $config) ?>,
            <?= html(strtr(substr($note['created_at'], 0, 19), 'T', ' ')) ?> UTC</small>
    </article>
    <?php endforeach ?>
    <?php if (!$notes): ?><p class="none">None yet: leave the first one.</p><?php endif ?>
</section>
<p><a href="/api/visits">Count my visits</a> in a session on the server that answers.</p>
</body>
</html>
    <?php
    return ob_get_clean();
}

/** The page for an error; after a failed write it has a form to send the same note again. */
function problem_page(Problem $problem): string
{
    $words = match ($problem->status) {
        503 => 'Nothing was changed. Try again in a moment.',
        504 => 'The note was sent to the database, but no confirmation came: it may or may not be saved. '
            . 'Sending it again is safe: it has the same token, so it cannot be saved twice.',
        default => 'The request was not understood.',
    };
    $again = in_array($problem->status, [503, 504], true) && is_string($_POST['body'] ?? null);
    ob_start();
    ?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title><?= $problem->status ?></title>
<style><?= file_get_contents(__DIR__ . '/page.css') ?></style>
</head>
<body>
<section class="tiles"><div class="tile wrong">
    <h2><?= html($problem->getMessage()) ?></h2>
    <strong><?= $problem->status ?></strong>
    <p><?= $words ?></p>
</div></section>
<?php if ($again): ?>
<form method="post" action="/">
    <input type="hidden" name="token" value="<?= html(checked_token($_POST['token'] ?? null)) ?>">
    <label for="body">Your note</label>
    <input id="body" name="body" value="<?= html($_POST['body']) ?>" readonly>
    <button>Send it again</button>
</form>
<?php endif ?>
<p><a class="button" href="/">Back to the page</a></p>
</body>
</html>
    <?php
    return ob_get_clean();
}
