-- GET /v1/pipelines?sort=name.
CREATE INDEX pipelines_name ON pipelines (organization_id, left(name, 200), id);
