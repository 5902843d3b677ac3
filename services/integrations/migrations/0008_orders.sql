-- The orders that the list can be read in beside the newest first.
CREATE INDEX partner_subscriptions_name ON partner_subscriptions (organization_id, left(name, 200), id)
    WHERE state <> 'deleted';
