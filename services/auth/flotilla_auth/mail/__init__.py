"""Mail to people: texts in their language, sent over SMTP by leased jobs."""
