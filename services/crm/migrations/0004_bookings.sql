-- A person who can be booked, and when: weekly hours in their own time zone. `hours`: [{weekday, opens, closes}].
CREATE TABLE booking_hosts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    time_zone text NOT NULL,
    hours jsonb NOT NULL,
    length_minutes int NOT NULL CHECK (length_minutes BETWEEN 5 AND 720),
    buffer_minutes int NOT NULL CHECK (buffer_minutes BETWEEN 0 AND 720),
    notice_minutes int NOT NULL CHECK (notice_minutes BETWEEN 0 AND 525600),
    active boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, id) REFERENCES users (organization_id, id)
);
SELECT protect_tenant_table('booking_hosts');

-- Calendars that people have connected: a copy of integrations' accounts of that kind.
CREATE TABLE calendars (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    user_id uuid,
    connected boolean NOT NULL,
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX calendars_user ON calendars (organization_id, user_id, id) WHERE connected;
SELECT protect_tenant_table('calendars');

CREATE TABLE bookings (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    request_id uuid,
    hold_id uuid NOT NULL,
    moving_to uuid,
    host_id uuid NOT NULL,
    contact_id uuid,
    title text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    time_zone text NOT NULL,
    state text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'confirmed', 'failed', 'cancelled')),
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, host_id) REFERENCES booking_hosts (organization_id, id),
    FOREIGN KEY (organization_id, contact_id) REFERENCES contacts (organization_id, id) ON DELETE SET NULL (contact_id)
);
COMMENT ON COLUMN bookings.request_id IS 'The wish that it answers; null for one that was made here.';
COMMENT ON COLUMN bookings.hold_id IS 'What keeps its slot; gone once it has failed or was cancelled.';
COMMENT ON COLUMN bookings.moving_to IS 'A second hold, while it is being moved: it keeps both until that is sure.';
CREATE INDEX bookings_time ON bookings (organization_id, starts_at, id);
CREATE INDEX bookings_host ON bookings (organization_id, host_id, starts_at, id);
CREATE INDEX bookings_contact ON bookings (organization_id, contact_id, starts_at, id);
CREATE INDEX bookings_latest_of_host ON bookings (organization_id, host_id, created_at DESC);
SELECT protect_tenant_table('bookings');

-- A slot that nobody else can have: no two of one host overlap, whatever asks for them and at whatever moment. Those of
-- one booking may, so that it can be moved by a little. `during` goes on for the pause that the host wants after it.
CREATE TABLE booking_holds (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    booking_id uuid NOT NULL,
    host_id uuid NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    during tstzrange NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, booking_id) REFERENCES bookings (organization_id, id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT one_at_a_time EXCLUDE USING gist (
        organization_id WITH =, host_id WITH =, booking_id WITH <>, during WITH &&)
);
CREATE INDEX booking_holds_booking ON booking_holds (organization_id, booking_id);
CREATE INDEX booking_holds_time ON booking_holds (organization_id, starts_at);
SELECT protect_tenant_table('booking_holds');

SELECT make_saga_tables();
