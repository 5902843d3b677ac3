-- The audit log: what people and programs did, and what bears on security whoever did it.

-- What a row's hash is of, as text: an exported row carries it, so that anybody can hash it again.
CREATE FUNCTION archive_text(event archive) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_array(
        event.organization_id, event.id, event.type, event.source, event.subject,
        (extract(epoch FROM event.time) * 1000000)::bigint, event.sequence, event.region, event.correlation_id,
        event.causation_id, event.request_id, event.traceparent, event.actor, event.audience, event.data,
        event.person, encode(event.sealed, 'hex'))::text
$$;

-- The condition stands also in flotilla_analytics/store/audit_log.py: an organization of a million messages has few.
CREATE INDEX archive_audited ON archive (organization_id, time, id)
    WHERE actor ~ '^(user|api_key|oauth_client|operator):' OR type ~ '^(user|session|api_key|oauth_client|role)[.]';
