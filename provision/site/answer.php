<?php

// The answers to the client: JSON, HTML and errors.

declare(strict_types=1);

/** An error that is sent to the client. */
final class Problem extends RuntimeException
{
    public function __construct(public readonly int $status, string $message)
    {
        parent::__construct($message);
    }
}

function answer_json(int $status, array $data): void
{
    http_response_code($status);
    header('Content-Type: application/json');
    tell_timing();
    echo json_encode($data, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR), "\n";
}

function answer_html(int $status, string $page): void
{
    http_response_code($status);
    header('Content-Type: text/html; charset=utf-8');
    tell_timing();
    // If a note ever gets a script into the page, the browser does not run it.
    header("Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; "
        . "form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
    echo $page;
}

/** Where the time went, in milliseconds, as browsers show it too: https://www.w3.org/TR/server-timing/ */
function tell_timing(): void
{
    $php_ms = (microtime(true) - $_SERVER['REQUEST_TIME_FLOAT']) * 1e3;
    header(sprintf('Server-Timing: db;dur=%.1f, php;dur=%.1f', database_ms(), $php_ms));
}

function answer_problem(Problem $problem, bool $as_page): void
{
    if (in_array($problem->status, [429, 503], true)) {
        header('Retry-After: 2');
    }
    if (!$as_page) {
        answer_json($problem->status, ['error' => $problem->getMessage()]);
        return;
    }
    answer_html($problem->status, problem_page($problem));
}
