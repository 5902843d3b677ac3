"""Whom organizations may write to unasked: one law (`rules`), and what is asked of it (`known`), for every service that
writes to people of its own accord.

Such a service keeps three things as others tell of them: what people said of marketing (crm's `consent.changed`), where
they live by their telephone numbers (crm's `contact.located`), and by which rule organizations go (campaign's
`consent.rule.changed`). `store` has their tables' statements; the tables are in the service's migrations.
"""
