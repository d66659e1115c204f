<?php

// Notes: reading them, and writing one so that the answer is never wrong about what happened.

declare(strict_types=1);

const LONGEST_REQUEST = 32768;  // bytes: the longest body with every character written as \ud83d\ude00
const LONGEST_BODY = 2000;      // characters, as in the table
const SHOWN = 10;
const SHOWN_OF_BODY = 500;      // characters: so the complete list fits into the buffers of nginx and the balancer
const NOTE = "SELECT token, body, CONCAT(REPLACE(created_at, ' ', 'T'), 'Z') AS created_at, served_by, db
    FROM notes";

/** The latest notes, newest first. */
function latest_notes(PDO $db): array
{
    $notes = ask($db, NOTE . ' ORDER BY notes.created_at DESC LIMIT ' . SHOWN)->fetchAll();
    return array_map(fn (array $note): array => array_replace($note, ['body' => beginning($note['body'])]), $notes);
}

/** The part of a note that the list shows; the complete note is at its own address. */
function beginning(string $body): string
{
    preg_match('/\A.{0,' . SHOWN_OF_BODY . '}/su', $body, $found);
    return $found[0] === $body ? $body : "$found[0]…";
}

/** One note, or null. The token is sent apart from the statement, so it can never become SQL. */
function find_note(PDO $db, string $token): ?array
{
    $found = $db->prepare(NOTE . ' WHERE token = ?');
    $found->execute([$token]);
    return $found->fetch() ?: null;
}

/**
 * Write a note, in one transaction. Returns [201, note] or, if the token is known, [200, the earlier note].
 *
 * 503 promises that the note will never appear: no COMMIT was sent, so MySQL rolls the transaction back.
 * 504 promises nothing: COMMIT was sent and no answer came, or in durable mode no replica confirmed it. The client may
 * ask for the token later, or send the same token again: the note can't be written twice.
 */
function leave_note(array $config, string $token, string $body): array
{
    $give_up_at = (float) $_SERVER['ARRIVED_AT'] + $config['write']['commit_before_s'];
    if (microtime(true) > $give_up_at) {
        throw new Problem(503, 'too many writes wait here, the note was not left');
    }
    [$db, $before] = primary_database($config, $give_up_at);
    if (!is_confirmed($before, $before)) {
        throw new Problem(503, 'no replica can confirm the note, it was not left');
    }
    try {
        $db->beginTransaction();
        $db->prepare('INSERT INTO notes (token, body, served_by, db) VALUES (?, ?, ?, @@GLOBAL.report_host)')
            ->execute([$token, $body, $config['served_by']]);
        $note = find_note($db, $token);
    } catch (PDOException $error) {
        must_be_known($error);
        return [200, known_note($db, $token, $before, $give_up_at)];
    }
    if (microtime(true) > $give_up_at) {
        throw new Problem(503, 'the database is too slow, the note was not left');
    }
    try {
        $db->commit();
        return [201, confirmed($db, $before, $note)];
    } catch (PDOException $error) {
        error_log("COMMIT: {$error->getMessage()}");
        throw new Problem(504, 'unknown');
    }
}

/** The note, if all commits since `before` were confirmed; if not, it may be lost with this server: 504. */
function confirmed(PDO $db, string $before, ?array $note): array
{
    if ($note === null || ($before !== '' && !is_confirmed($before, confirmation($db)))) {
        throw new Problem(504, 'unknown');
    }
    return $note;
}

/** The INSERT failed: return if the token is already known; otherwise 504 if it is being written, else 503. */
function must_be_known(PDOException $error): void
{
    error_log("INSERT: {$error->getMessage()}");
    if (error_number($error) === LOCK_WAIT_TIMEOUT) {
        // An earlier request with the same token has sent COMMIT and still waits for the answer.
        throw new Problem(504, 'unknown');
    }
    if (error_number($error) !== DUPLICATE_KEY) {
        throw new Problem(503, 'the database refused the note, nothing was changed');
    }
}

/**
 * The note of an earlier request, read in the transaction of the refused INSERT. In durable mode another commit after
 * it confirms it: when the note was written, semi-sync may have been off, or the server may have crashed before a
 * replica had the note, and started again.
 */
function known_note(PDO $db, string $token, string $before, float $give_up_at): array
{
    try {
        $note = find_note($db, $token);
        if ($before !== '') {
            $db->prepare('INSERT INTO repeats (token) VALUES (?)')->execute([$token]);
        }
        if (microtime(true) > $give_up_at) {
            throw new Problem(504, 'unknown');
        }
        $db->commit();
        return confirmed($db, $before, $note);
    } catch (PDOException $error) {
        error_log("known note: {$error->getMessage()}");
        throw new Problem(504, 'unknown');
    }
}

function is_token(string $text): bool
{
    return preg_match('/\A[A-Za-z0-9._:-]{1,64}\z/', $text) === 1;
}

function checked_token(mixed $token): string
{
    if (!is_string($token) || !is_token($token)) {
        throw new Problem(400, 'token must be 1 to 64 letters, digits or . _ : -');
    }
    return $token;
}

function checked_body(mixed $body): string
{
    if (!is_string($body) || trim($body) === '' || !preg_match('//u', $body)) {
        throw new Problem(400, 'body must be a text that is not empty');
    }
    if (preg_match('/\A.{' . (LONGEST_BODY + 1) . '}/su', $body)) {
        throw new Problem(413, 'body is longer than ' . LONGEST_BODY . ' characters');
    }
    return $body;
}
