-- Clients see the bookings of the contacts that they are.
SELECT keep_client_contacts();
SELECT scope_clients('bookings', 'contact_id');
