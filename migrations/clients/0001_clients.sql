-- +goose Up
-- Programs that call the graph. They are revoked, never deleted: what they published stays explained.
CREATE TABLE clients.clients (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL CONSTRAINT clients_name UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    mode       text        NOT NULL CHECK (mode IN ('open', 'log', 'prefer', 'only')),
    scopes     text[]      NOT NULL,
    revision   bigint      NOT NULL DEFAULT 0 CHECK (revision >= 0), -- grows with each change of its documents
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    revoked_at timestamptz
);

-- Keys as SHA-256 of 256 random bits. The hint is the key's beginning, by which people know it.
CREATE TABLE clients.keys (
    hash       bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
    client_id  uuid        NOT NULL REFERENCES clients.clients,
    hint       text        NOT NULL CHECK (hint <> ''),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT keys_hint UNIQUE (client_id, hint)
);

-- Texts of documents by their SHA-256; clients share them.
CREATE TABLE clients.texts (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    text text  NOT NULL CHECK (text <> '')
);

-- What a client's ids stand for. An id never stands for another text.
CREATE TABLE clients.documents (
    client_id    uuid        NOT NULL REFERENCES clients.clients,
    id           text        NOT NULL CHECK (octet_length(id) BETWEEN 1 AND 256),
    hash         bytea       NOT NULL REFERENCES clients.texts,
    name         text        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('query', 'mutation', 'subscription')),
    cost         integer     NOT NULL CHECK (cost >= 0),
    published_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, id)
);
CREATE INDEX documents_hash ON clients.documents (hash);

-- Versions of clients, each a set of documents.
CREATE TABLE clients.releases (
    client_id    uuid        NOT NULL REFERENCES clients.clients,
    version      text        NOT NULL CHECK (octet_length(version) BETWEEN 1 AND 64),
    published_at timestamptz NOT NULL,
    retired_at   timestamptz,
    PRIMARY KEY (client_id, version)
);

CREATE TABLE clients.release_documents (
    client_id   uuid NOT NULL,
    version     text NOT NULL,
    document_id text NOT NULL,
    PRIMARY KEY (client_id, version, document_id),
    FOREIGN KEY (client_id, version) REFERENCES clients.releases (client_id, version),
    FOREIGN KEY (client_id, document_id) REFERENCES clients.documents (client_id, id)
);
CREATE INDEX release_documents_document ON clients.release_documents (client_id, document_id);

-- +goose Down
DROP TABLE clients.release_documents;
DROP TABLE clients.releases;
DROP TABLE clients.documents;
DROP TABLE clients.texts;
DROP TABLE clients.keys;
DROP TABLE clients.clients;
