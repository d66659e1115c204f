<?php

// Notes: finding them, and leaving one so that the answer is never wrong about what happened.

declare(strict_types=1);

const LONGEST_REQUEST = 32768;  // bytes: the longest body with every character written as \ud83d\ude00
const LONGEST_BODY = 2000;      // characters, as in the table
const SHOWN = 10;
const SHOWN_OF_BODY = 500;      // characters: the list stays so short that nginx and the balancer hold it whole
const NOTE = "SELECT token, body, CONCAT(REPLACE(created_at, ' ', 'T'), 'Z') AS created_at, served_by, db
    FROM notes";

/** The latest notes, newest first. */
function latest_notes(PDO $db): array
{
    $notes = ask($db, NOTE . ' ORDER BY notes.created_at DESC LIMIT ' . SHOWN)->fetchAll();
    return array_map(fn (array $note): array => array_replace($note, ['body' => beginning($note['body'])]), $notes);
}

/** What the list shows of a note; all of it is at its own address. */
function beginning(string $body): string
{
    preg_match('/\A.{0,' . SHOWN_OF_BODY . '}/su', $body, $found);
    return $found[0] === $body ? $body : "$found[0]…";
}

/** One note, or null. The token travels apart from the statement, so it can never become part of it. */
function find_note(PDO $db, string $token): ?array
{
    $found = $db->prepare(NOTE . ' WHERE token = ?');
    $found->execute([$token]);
    return $found->fetch() ?: null;
}

/**
 * Leave a note, in one transaction. Returns [201, note] or, if the token is known, [200, the note of then].
 *
 * 503 promises that the note will never appear: no COMMIT was sent, so MySQL forgets the rest by itself.
 * 504 promises nothing: COMMIT was sent and its answer is missing, or no replica confirmed it in durable mode. The
 * client may ask for the token later, or send the same token again: it can't be left twice.
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

/** The note, if what was committed since `before` was confirmed; else nobody knows whether it outlives this server. */
function confirmed(PDO $db, string $before, ?array $note): array
{
    if ($note === null || ($before !== '' && !is_confirmed($before, confirmation($db)))) {
        throw new Problem(504, 'unknown');
    }
    return $note;
}

/** The INSERT failed: is the token known already, is someone else just leaving it, or did nothing happen? */
function must_be_known(PDOException $error): void
{
    error_log("INSERT: {$error->getMessage()}");
    if (error_number($error) === LOCK_WAIT_TIMEOUT) {
        // An earlier request sent COMMIT for this very token and still waits for the answer.
        throw new Problem(504, 'unknown');
    }
    if (error_number($error) !== DUPLICATE_KEY) {
        throw new Problem(503, 'the database refused the note, nothing was changed');
    }
}

/**
 * The note that an earlier request left, within the transaction of the refused INSERT. In durable mode a commit of its
 * own confirms it: when the note was left, semi-sync may have been off, or the server may have died before a replica
 * had it and started again since.
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
