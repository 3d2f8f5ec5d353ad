-- The shop's tables, with something to sell and a past to recommend from.
CREATE TABLE products (
    id    integer PRIMARY KEY,
    name  text    NOT NULL,
    cents integer NOT NULL CHECK (cents > 0)
);
INSERT INTO products VALUES
    (1, 'Kettle', 3490), (2, 'Teapot', 2250), (3, 'Cup', 790), (4, 'Saucer', 450), (5, 'Spoon', 320),
    (6, 'Green tea', 890), (7, 'Black tea', 650), (8, 'Sugar', 210), (9, 'Biscuits', 340), (10, 'Tray', 1890);

-- An order is open until it is paid for. `provider` is who was asked for the money, written before asking.
CREATE TABLE orders (
    id       uuid        PRIMARY KEY,
    product  integer     NOT NULL REFERENCES products,
    quantity integer     NOT NULL CHECK (quantity BETWEEN 1 AND 100),
    cents    integer     NOT NULL,
    payment  text        NOT NULL CHECK (payment IN ('asking', 'paid', 'queued', 'refused')),
    provider text,
    at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON orders (at) WHERE payment IN ('asking', 'queued');

-- What customers are told. `channel` is how; in-app messages are read here, queued ones wait for somebody at work.
CREATE TABLE messages (
    order_id uuid        PRIMARY KEY,
    channel  text        NOT NULL,
    text     text        NOT NULL,
    at       timestamptz NOT NULL DEFAULT now()
);

-- Baskets of the past: who bought what together.
CREATE TABLE baskets (
    basket  integer NOT NULL,
    product integer NOT NULL REFERENCES products
);
INSERT INTO baskets
    SELECT basket, 1 + (basket * (7 + item) + item * item) % 10
    FROM generate_series(1, 4000) AS basket, generate_series(1, 3) AS item;
CREATE INDEX ON baskets (basket);
ANALYZE;
