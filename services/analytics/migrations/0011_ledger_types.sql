-- What kind of event stands at a position, beside it: a fold reads from the archive only what it is made of, and most
-- events are nothing to most folds. Null where it was written before; then the archive is asked.
ALTER TABLE unsealed ADD COLUMN event_type text;
ALTER TABLE ledger ADD COLUMN event_type text;
COMMENT ON TABLE unsealed IS 'exempt: ids, hashes and names of contracts only';
COMMENT ON TABLE ledger IS 'exempt: ids, hashes and names of contracts only';
