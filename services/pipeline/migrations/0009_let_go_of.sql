-- Whose a deal was when its contact went: it is with nobody, and its words may speak of them nevertheless.
ALTER TABLE deals ADD COLUMN let_go_of uuid;
CREATE INDEX deals_let_go_of ON deals (organization_id, let_go_of) WHERE let_go_of IS NOT NULL;
