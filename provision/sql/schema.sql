-- Applied by lab/replication/schema.py on the primary; the replica receives it.
-- Valid for MySQL 8.0, 8.4 and 9.x. Running it again changes nothing.

CREATE DATABASE IF NOT EXISTS site CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci;

CREATE TABLE IF NOT EXISTS site.notes (
    -- Chosen by the client: if it does not know whether a note arrived, it sends the note again with the same token,
    -- and the database refuses the second one. ascii_bin: upper and lower case differ.
    token      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    body       VARCHAR(2000) NOT NULL,
    created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    -- The web server that got the note, and the database that was the primary then.
    served_by  VARCHAR(64) NOT NULL,
    db         VARCHAR(64) NOT NULL,
    KEY latest (created_at)
) ENGINE = InnoDB;

-- When a known note is sent again in durable mode, a row is written here. A replica that confirms this commit has the
-- note too, because the note is before it in the binary log.
CREATE TABLE IF NOT EXISTS site.repeats (
    id      BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    token   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    sent_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE = InnoDB;
