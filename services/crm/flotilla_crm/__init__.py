"""Who the customers are.

crm owns contacts, the channel identities behind which they are found, companies, tasks, notes, and the timeline
of each contact and company. A customer's message makes the contact, once, however many processes see it at the
same moment. The timeline holds what happened and when, never what was said: texts stay with their owners.
"""
