-- GET /v1/companies?sort=name
CREATE INDEX companies_name ON companies (organization_id, name, id);
